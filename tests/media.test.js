// Sending media in every form, and the stored files.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";

import { raw } from "./lib/api.js";
import { png } from "./lib/sandbox.js";
import { until } from "./lib/until.js";
import { startSite, world } from "./lib/world.js";

const picture = png(40, 30);
const base64 = (bytes) => Buffer.from(bytes).toString("base64");
const dataUri = (bytes, type) => `data:${type};base64,${base64(bytes)}`;
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const samples = {
  gif: [Buffer.concat([Buffer.from("GIF89a"), Buffer.from([10, 0, 20, 0, 0, 0, 0, 0x3b])]), "image/gif"],
  jpeg: [Buffer.from("ffd8ffe000104a46494600010100000100010000ffc0000b080010002001011100ffd9", "hex"), "image/jpeg"],
  mp4: [Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from("ftypisom\0\0\x02\0isommp41"), Buffer.alloc(64)]), "video/mp4"],
  mp3: [Buffer.concat([Buffer.from("ID3\x03\0\0\0\0\0\0"), Buffer.from([0xff, 0xfb, 0x90, 0x64]), Buffer.alloc(400)]), "audio/mpeg"],
  ogg: [Buffer.concat([Buffer.from("OggS\0\x02\0\0\0\0\0\0\0\0"), Buffer.alloc(12), Buffer.from("\x01\x13OpusHead\x01\x01"), Buffer.alloc(40)]), "audio/ogg"],
  pdf: [Buffer.from("%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"), "application/pdf"],
  text: [Buffer.from("Celadon bowl, 22 cm: 48 EUR\n"), "text/plain"],
};

const w = world({ env: { PARLEY_ALLOW_PRIVATE_ADDRESSES: "127.0.0.0/8", PARLEY_UPLOAD_MAX: "51M", PARLEY_BODY_MAX: "1M" } });
let site;
before(async () => {
  site = await startSite();
});
after(() => site.stop());

/** The stored file behind an attachment, read without a key: { bytes, headers }. */
async function stored(attachment) {
  assert.ok(attachment.url.startsWith(`${w.api.url}/storage/`), attachment.url);
  const answer = await w.api.with(null).ask("GET", new URL(attachment.url).pathname);
  assert.equal(answer.status, 200);
  return answer;
}

/** The file that reached the platform: its bytes. */
async function fileOnTelegram(talk) {
  const message = (await talk.onTelegram()).at(-1);
  const media = message.photo?.at(-1) ?? message.video ?? message.animation ?? message.audio ?? message.voice ?? message.sticker ?? message.document;
  const file = await w.sandbox.ask("getFile", { file_id: media.file_id }, talk.bot.token);
  const response = await fetch(`${w.sandbox.url}/file/bot${talk.bot.token}/${file.file_path}`);
  return { message, media, bytes: Buffer.from(await response.arrayBuffer()) };
}

function multipart(field, bytes, name, type, more = {}) {
  const data = new FormData();
  for (const [key, value] of Object.entries(more)) data.append(key, value);
  data.append(field, new File([bytes], name, { type }));
  return data;
}

describe("one picture, in every form", () => {
  const forms = {
    "a data URI": () => ({ json: { media: [dataUri(picture, "image/png")] } }),
    "a base64 object": () => ({ json: { media: [{ data: base64(picture), filename: "bowl.png", content_type: "image/png" }] } }),
    "an object with nothing but data": () => ({ json: { media: [{ data: base64(picture) }] } }),
    "multipart media[]": () => ({ multipart: multipart("media[]", picture, "bowl.png", "image/png") }),
    "multipart media": () => ({ multipart: multipart("media", picture, "bowl.png", "image/png") }),
    "multipart media[][]": () => ({ multipart: multipart("media[][]", picture, "bowl.png", "image/png") }),
    "multipart without a type": () => ({ multipart: multipart("media[]", picture, "bowl.png", "") }),
    "a data URI in a form": () => ({ form: { "media[]": dataUri(picture, "image/png") } }),
  };
  for (const [name, make] of Object.entries(forms))
    test(name, async () => {
      const talk = await w.talk();
      const sent = await talk.send(undefined, make());
      assert.equal(sent.body, null);
      assert.equal(sent.attachments.length, 1);
      const message = await talk.reaches(sent, "published");
      const [attachment] = message.attachments;
      assert.deepEqual(
        { ...attachment, external_id: null },
        { id: sent.attachments[0].id, type: "image", url: attachment.url, status: "processed", external_id: null, content_type: "image/png",
          size: picture.length, width: 40, height: 30, file_name: attachment.file_name },
      );
      if (/bowl/.test(JSON.stringify(make().json ?? "")) || make().multipart) assert.equal(attachment.file_name, "bowl.png");
      const file = await stored(attachment);
      assert.deepEqual(file.bytes, picture);
      assert.equal(file.headers.get("content-type"), "image/png");
      const there = await fileOnTelegram(talk);
      assert.ok(there.message.photo, "it is a photo");
      assert.deepEqual(there.bytes, picture);
    });

  test("an address: downloaded first, pending until then", async () => {
    const talk = await w.talk();
    let go;
    const held = new Promise((resolve) => (go = resolve));
    site.files["/held/bowl.png"] = async (request, response) => {
      await held;
      response.writeHead(200, { "Content-Type": "image/png" }).end(picture);
    };
    const url = `${site.url}/held/bowl.png`;
    const sent = await talk.send({ media: [url] });
    assert.equal(sent.status, "pending");
    assert.deepEqual([sent.attachments[0].status, sent.attachments[0].url, sent.attachments[0].external_id], ["pending", url, null]);
    const next = await talk.send("after the picture");
    await until(() => site.asked.includes("/held/bowl.png"), "the download begins");
    assert.equal((await w.api.get(`/api/messages/${next.id}`)).status, "pending");
    go();
    const message = await talk.reaches(sent, "published");
    const [attachment] = message.attachments;
    assert.deepEqual([attachment.id, attachment.status, attachment.type, attachment.size, attachment.width, attachment.height],
      [sent.attachments[0].id, "processed", "image", picture.length, 40, 30]);
    assert.deepEqual((await stored(attachment)).bytes, picture);
    await talk.reaches(next, "published");
    const out = (await talk.onTelegram()).filter((m) => m.direction === "out");
    assert.ok(out[0].photo && out[1].text === "after the picture", "in order");
  });

  test("an address as text in multipart and in a form", async () => {
    site.files["/text.png"] = { bytes: picture, type: "image/png" };
    const talk = await w.talk();
    const data = new FormData();
    data.append("media[]", `${site.url}/text.png`);
    assert.equal((await talk.say(undefined, { multipart: data })).attachments[0].status, "processed");
    assert.equal((await talk.say(undefined, { form: { media: `${site.url}/text.png` } })).attachments[0].status, "processed");
  });

  test("with a keyboard and as a reply", async () => {
    const talk = await w.talk();
    const question = await talk.hear("Picture?");
    const reply_markup = { inline_keyboard: [[{ text: "Buy", callback_data: "buy" }]] };
    const json = await talk.say({ media: [dataUri(picture, "image/png")], reply_to_external_id: question.external_id, reply_markup });
    assert.deepEqual([json.reply_to_external_id, json.reply_markup], [question.external_id, reply_markup]);
    const there = (await talk.onTelegram()).at(-1);
    assert.equal(there.reply_to_message.text, "Picture?");
    assert.deepEqual(there.reply_markup, reply_markup);
    await talk.say(undefined, { multipart: multipart("media[]", picture, "a.png", "image/png",
      { reply_to_external_id: question.external_id, reply_markup: JSON.stringify(reply_markup) }) });
    assert.deepEqual((await talk.onTelegram()).at(-1).reply_markup, reply_markup);
  });

  test("part headers such as Content-Length do no harm", async () => {
    const talk = await w.talk();
    const body = Buffer.concat([
      Buffer.from("--b7f1\r\nContent-Disposition: form-data; name=\"media[]\"; filename=\"b \\\"1\\\".png\"\r\n"
        + `Content-Type: image/png\r\nContent-Length: ${picture.length}\r\nContent-Transfer-Encoding: binary\r\n\r\n`),
      picture,
      Buffer.from("\r\n--b7f1--\r\n"),
    ]);
    const sent = await talk.say(undefined, { body, headers: { "Content-Type": "multipart/form-data; boundary=b7f1" } });
    assert.equal(sent.attachments[0].size, picture.length);
  });
});

describe("kinds", () => {
  for (const [name, [bytes, type], kind, field] of [
    ["a GIF", samples.gif, "image", "animation"],
    ["a JPEG", samples.jpeg, "image", "photo"],
    ["an MP4", samples.mp4, "video", "video"],
    ["an MP3", samples.mp3, "audio", "audio"],
    ["a PDF", samples.pdf, "file", "document"],
    ["plain text", samples.text, "file", "document"],
  ])
    test(`${name} is a ${kind}`, async () => {
      const talk = await w.talk();
      const message = await talk.say({ media: [{ data: base64(bytes), filename: `x.${type.split("/")[1]}`, content_type: type }] });
      const [attachment] = message.attachments;
      assert.deepEqual([attachment.type, attachment.content_type, attachment.size], [kind, type, bytes.length]);
      const file = await stored(attachment);
      assert.deepEqual(file.bytes, bytes);
      const there = await fileOnTelegram(talk);
      assert.ok(there.message[field], `it is a ${field}: ${Object.keys(there.message)}`);
      assert.equal(sha256(there.bytes), sha256(bytes));
    });

  test("an address whose name says nothing, or something else, is what its bytes are", async () => {
    const talk = await w.talk();
    for (const [path, [bytes, type], kind, field] of [
      ["/photos/4711", [picture, "image/png"], "image", "photo"],
      ["/photos/4712.bin?size=large", [picture, "application/octet-stream"], "image", "photo"],
      ["/films/v1.2", samples.mp4, "video", "video"],
      ["/list.png", samples.pdf, "file", "document"],
    ]) {
      site.files[path] = { bytes, type };
      const message = await talk.say({ media: [`${site.url}${path}`] });
      assert.equal(message.attachments[0].type, kind, path);
      const { message: there } = await fileOnTelegram(talk);
      assert.ok(there[field], `${path} is a ${field}: ${Object.keys(there)}`);
    }
  });

  test("Opus in Ogg goes as a voice message or as audio", async () => {
    const talk = await w.talk();
    const [bytes, type] = samples.ogg;
    const message = await talk.say({ media: [dataUri(bytes, type)] });
    assert.equal(message.attachments[0].type, "audio");
    const { message: there } = await fileOnTelegram(talk);
    assert.ok(there.voice ?? there.audio ?? there.document);
  });

  test("a page that calls itself a picture is never shown as a page", async () => {
    const talk = await w.talk();
    const bytes = Buffer.from("<!DOCTYPE html><script>alert(1)</script>");
    for (const type of ["image/png", "text/html", "image/svg+xml"]) {
      const message = await talk.reaches(await talk.send({ media: [{ data: base64(bytes), filename: "x.html", content_type: type }] }), "published");
      const file = await stored(message.attachments[0]);
      const shown = file.headers.get("content-type");
      const safe = !/html|svg|xml|javascript/.test(shown) || /attachment/.test(file.headers.get("content-disposition") ?? "");
      assert.ok(safe, `${type}: ${shown} ${file.headers.get("content-disposition")}`);
      assert.equal(file.headers.get("x-content-type-options"), "nosniff");
    }
  });

  test("a file name is kept, but never as a path", async () => {
    const talk = await w.talk();
    for (const [given, expected] of [["Preisliste für Zoë.txt", "Preisliste für Zoë.txt"], ["../../etc/passwd", "passwd"], ["a\\b\\c.txt", /^(a\\b\\c|c)\.txt$/], ["x\"; y=\"z.txt", /x.*z\.txt/]]) {
      const message = await talk.say({ media: [{ data: base64("x"), filename: given, content_type: "text/plain" }] });
      const kept = message.attachments[0].file_name;
      if (expected instanceof RegExp) assert.match(kept, expected);
      else assert.equal(kept, expected);
      const { media } = await fileOnTelegram(talk);
      assert.ok(media.file_name && !/[\r\n]/.test(media.file_name));
    }
  });
});

describe("what is refused", () => {
  for (const [name, item] of Object.entries({
    "a number": 5,
    "null": null,
    "an empty text": "",
    "text that is no address": "bowl.png",
    "an object without data": { filename: "a.png" },
    "an object with empty data": { data: "" },
    "an object whose data is no base64": { data: "!!!", content_type: "image/png" },
    "an object whose data is a number": { data: 5 },
    "a data URI without base64": "data:image/png,abc",
    "a data URI with broken base64": "data:image/png;base64,a?b",
    "a data URI without content": "data:image/png;base64,",
    "ftp": "ftp://a.example/b.png",
    "file": "file:///etc/passwd",
    "an address without a host": "http:///b.png",
    "an address with spaces": "http://a b/c.png",
    "an address with line ends": "http://a.example/\r\nX: y",
    "a list": [["https://a.example/b.png"]],
  }))
    test(name, async () => {
      const talk = await w.talk();
      const refusal = await talk.refusal({ media: [item] });
      assert.match(refusal, /^4(00|22) .{8,}/);
      assert.equal((await talk.list("direction=outbound")).length, 0);
    });

  test("media that is no list", async () => {
    const talk = await w.talk();
    for (const media of [5, true, { data: 5 }]) assert.match(await talk.refusal({ media }), /^4(00|22) /, JSON.stringify(media));
  });

  test("two files in multipart", async () => {
    const talk = await w.talk();
    for (const field of ["media", "media[]", "media[][]"]) {
      const data = multipart(field, picture, "a.png", "image/png");
      data.append(field, new File([picture], "b.png", { type: "image/png" }));
      assert.equal(await talk.refusal(undefined, { multipart: data }), "422 Direct messages support one attachment per send");
    }
    const both = multipart("media[]", picture, "a.png", "image/png", { body: "and text" });
    assert.equal(await talk.refusal(undefined, { multipart: both }), "422 Direct messages support either text or attachment per send, not both");
  });

  test("more than Telegram takes", async () => {
    const talk = await w.talk();
    const big = Buffer.alloc(10 * 1024 * 1024 + 1);
    png(40, 30).copy(big);
    const photo = await talk.refusal(undefined, { multipart: multipart("media[]", big, "big.png", "image/png") });
    // A picture too large for a photo may still go as a file: then it was accepted.
    if (!photo.startsWith("202")) assert.match(photo, /^422 .*10/);
    const huge = await w.api.ask("POST", talk.messagesPath, { multipart: multipart("media[]", Buffer.alloc(50_000_001 + 300000), "huge.bin", "application/octet-stream") });
    assert.ok(huge.status === 422 || huge.status === 413, `${huge.status} ${huge.text}`);
  });

  test("more than the server takes", async () => {
    const talk = await w.talk();
    const json = await w.api.ask("POST", talk.messagesPath, { json: { media: [dataUri(Buffer.alloc(60 * 1024 * 1024), "image/png")] } });
    assert.equal(json.status, 413);
    assert.equal((await talk.list("direction=outbound")).length, 0);
  });
});

describe("downloads that fail for good fail the message", () => {
  for (const [path, file, words] of [
    ["/gone.png", { status: 404, bytes: "no" }, /404/],
    ["/forbidden.png", { status: 403, bytes: "no" }, /403/],
    ["/empty.png", { status: 200, bytes: "", type: "image/png" }, /empty/i],
  ])
    test(path, async () => {
      site.files[path] = file;
      const talk = await w.talk();
      const sent = await talk.send({ media: [`${site.url}${path}`] });
      const failed = await talk.reaches(sent, "failed");
      assert.match(failed.error_message, words);
      assert.equal(failed.attachments[0].status, file.status === 200 ? "processed" : "failed");
      assert.equal((await talk.say("next")).status, "published");
    });

  test("one that is too large is cut off", async () => {
    const talk = await w.talk();
    let gone = false;
    site.files["/endless.bin"] = (request, response) => {
      response.writeHead(200, { "Content-Type": "application/octet-stream" });
      const piece = Buffer.alloc(1 << 20);
      const pour = () => {
        while (!gone && response.write(piece));
      };
      response.on("drain", pour);
      response.on("close", () => (gone = true));
      pour();
    };
    const failed = await talk.reaches(await talk.send({ media: [`${site.url}/endless.bin`] }), "failed", 30);
    assert.match(failed.error_message, /too large|limit|bytes|larger/i);
    await until(() => gone, "the download is cut");
    site.files["/said.bin"] = { bytes: "x", headers: { "Content-Length": String(200 * 1024 * 1024) } };
    assert.match((await talk.reaches(await talk.send({ media: [`${site.url}/said.bin`] }), "failed")).error_message, /too large|limit|bytes|larger/i);
  });

  test("trouble that passes is tried again", async () => {
    const talk = await w.talk();
    let asked = 0;
    site.files["/flaky.png"] = (request, response) => {
      if (++asked < 3) response.writeHead(503).end();
      else response.writeHead(200, { "Content-Type": "image/png" }).end(picture);
    };
    const message = await talk.reaches(await talk.send({ media: [`${site.url}/flaky.png`] }), "published", 30);
    assert.equal(asked, 3);
    assert.equal(message.attachments[0].status, "processed");
  });

  test("redirects are followed, but not for ever", async () => {
    const talk = await w.talk();
    site.files["/there.png"] = { bytes: picture, type: "image/png" };
    site.files["/moved.png"] = { status: 302, headers: { Location: "/there.png" }, bytes: "" };
    assert.equal((await talk.say({ media: [`${site.url}/moved.png`] })).attachments[0].size, picture.length);
    site.files["/round.png"] = { status: 302, headers: { Location: "/round.png" }, bytes: "" };
    assert.ok((await talk.reaches(await talk.send({ media: [`${site.url}/round.png`] }), "failed", 30)).error_message);
    site.files["/out.png"] = { status: 302, headers: { Location: "file:///etc/passwd" }, bytes: "" };
    assert.ok((await talk.reaches(await talk.send({ media: [`${site.url}/out.png`] }), "failed", 30)).error_message);
  });

  test("a name that does not exist", async () => {
    const talk = await w.talk();
    const answer = await w.api.ask("POST", talk.messagesPath, { json: { media: ["http://does-not-exist.invalid/a.png"] } });
    if (answer.status === 202) assert.ok((await talk.reaches(answer.json, "failed", 30)).error_message);
    else assert.equal(answer.status, 422);
  });
});

describe("stored files", () => {
  let path;
  const bytes = Buffer.from(Array.from({ length: 1000 }, (_, n) => n % 251));
  const get = (headers, method = "GET", at = path) => w.api.with(null).ask(method, at, { headers });
  before(async () => {
    const talk = await w.talk();
    const message = await talk.say({ media: [{ data: base64(bytes), filename: "numbers.bin" }] });
    path = new URL(message.attachments[0].url).pathname;
  });

  test("come whole, with HEAD too, and may be cached", async () => {
    const whole = await get();
    assert.deepEqual(whole.bytes, bytes);
    assert.equal(whole.headers.get("content-length"), "1000");
    assert.equal(whole.headers.get("accept-ranges"), "bytes");
    assert.ok(whole.headers.get("cache-control"));
    const head = await get({}, "HEAD");
    assert.equal(head.status, 200);
    assert.equal(head.headers.get("content-length"), "1000");
    assert.equal(head.headers.get("etag"), whole.headers.get("etag"));
  });

  for (const [range, status, from, to] of [
    ["bytes=0-99", 206, 0, 99],
    ["bytes=0-0", 206, 0, 0],
    ["bytes=500-", 206, 500, 999],
    ["bytes=-100", 206, 900, 999],
    ["bytes=-5000", 206, 0, 999],
    ["bytes=990-2000", 206, 990, 999],
    ["bytes=999-999", 206, 999, 999],
    ["bytes=1000-", 416],
    ["bytes=1000-1001", 416],
    ["bytes=-0", 416],
    ["bytes=5-2", 200],
    ["bytes=a-b", 200],
    ["pages=1-2", 200],
    ["bytes=", 200],
    ["bytes=99999999999999999999-", 416],
  ])
    test(`Range: ${range} is a ${status}`, async () => {
      const answer = await get({ Range: range });
      assert.ok(answer.status === status || (status === 200 && answer.status === 416), `${answer.status}`);
      if (answer.status === 206) {
        assert.equal(answer.headers.get("content-range"), `bytes ${from}-${to}/1000`);
        assert.deepEqual(answer.bytes, bytes.subarray(from, to + 1));
      } else if (answer.status === 416) {
        assert.equal(answer.headers.get("content-range"), "bytes */1000");
      } else {
        assert.deepEqual(answer.bytes, bytes);
      }
    });

  test("several ranges are the whole, or parts", async () => {
    const answer = await get({ Range: "bytes=0-1,5-6" });
    assert.ok(answer.status === 200 || answer.status === 206);
    if (answer.status === 200) assert.deepEqual(answer.bytes, bytes);
  });

  test("If-None-Match and If-Range are heeded", async () => {
    const etag = (await get()).headers.get("etag");
    for (const value of [etag, `W/${etag.replace(/^W\//, "")}`, `"other", ${etag}`, "*"]) {
      const answer = await get({ "If-None-Match": value });
      assert.deepEqual([answer.status, answer.bytes.length, answer.headers.get("etag")], [304, 0, etag], value);
    }
    assert.equal((await get({ "If-None-Match": "\"other\"" })).status, 200);
    assert.equal((await get({ Range: "bytes=0-9", "If-Range": etag })).status, 206);
    assert.equal((await get({ Range: "bytes=0-9", "If-Range": "\"other\"" })).status, 200);
  });

  test("are found by their whole name only", async () => {
    for (const at of ["/storage/", "/storage/x", "/storage/..", "/storage/%2e%2e%2fsecret.key", "/storage/..%2Fsecret.key", "/storage/%2e%2e/%2e%2e/etc/passwd",
      path.slice(0, -1), `${path}x`, `${path}/x`, path.toUpperCase(), `/storage/${"a".repeat(300)}`, "/storage/parley.db", "/storage/%00", path.replace(/\.[a-z]+$/, "")]) {
      const { status } = await get({}, "GET", at);
      assert.ok(status === 404 || (status === 400 && at.includes("%00")), `${at}: ${status}`);
    }
    const { responses } = await raw(w.api.url, "GET /storage/../secret.key HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert.ok([400, 404].includes(responses[0].status));
  });

  test("two are not told apart by counting", async () => {
    const talk = await w.talk();
    const names = [];
    for (let n = 0; n < 2; n++) names.push((await talk.say({ media: [dataUri(`${n}`, "text/plain")] })).attachments[0].url.split("/").at(-1));
    assert.notEqual(names[0], names[1]);
    for (const name of names) assert.ok(name.length >= 20, name);
  });

  test("are there again after a restart", async () => {
    await w.server.stop();
    await w.serve();
    assert.deepEqual((await get()).bytes, bytes);
  });

  test("go with the profile", async () => {
    const talk = await w.talk();
    const message = await talk.say({ media: [dataUri("going", "text/plain")] });
    const at = new URL(message.attachments[0].url).pathname;
    await w.api.delete(`/api/profiles/${talk.profile.id}`);
    await until(async () => (await get({}, "GET", at)).status === 404, "the file is erased");
  });
});

describe("addresses that lead inside", () => {
  const guarded = world();

  for (const [name, url] of Object.entries({
    loopback: (port) => `http://127.0.0.1:${port}/a.png`,
    "loopback by name": (port) => `http://localhost:${port}/a.png`,
    "loopback in one number": (port) => `http://2130706433:${port}/a.png`,
    "loopback in hexadecimal": (port) => `http://0x7f000001:${port}/a.png`,
    "loopback, short": (port) => `http://127.1:${port}/a.png`,
    "IPv6 loopback": (port) => `http://[::1]:${port}/a.png`,
    "mapped IPv6": (port) => `http://[::ffff:127.0.0.1]:${port}/a.png`,
    "any address": (port) => `http://0.0.0.0:${port}/a.png`,
    private: () => "http://10.0.0.1/a.png",
    "a cloud's metadata": () => "http://169.254.169.254/latest/meta-data/",
    "this server": () => `${guarded.api.url}/metrics`,
    "with a user": (port) => `http://a.example@127.0.0.1:${port}/a.png`,
  }))
    test(`${name} is refused`, async () => {
      site.files["/a.png"] = { bytes: picture, type: "image/png" };
      const asked = site.asked.length;
      const talk = await guarded.talk();
      const address = url(new URL(site.url).port);
      const answer = await guarded.api.ask("POST", talk.messagesPath, { json: { media: [address] } });
      if (answer.status === 202) assert.ok((await talk.reaches(answer.json, "failed", 30)).error_message);
      else assert.match(`${answer.status}`, /^4(00|22)$/, answer.text);
      assert.equal(site.asked.length, asked);
      assert.deepEqual((await talk.calls()).filter((call) => /^send(?!ChatAction)/.test(call.method)), []);
    });
});

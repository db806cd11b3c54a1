// Media in a bucket: a server on Swift, which speaks S3's protocol and checks every signature itself.
import assert from "node:assert/strict";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { png } from "./lib/sandbox.js";
import { temporaryFolder } from "./lib/process.js";
import { Swift, swiftMissing } from "./lib/swift.js";
import { until } from "./lib/until.js";
import { World } from "./lib/world.js";

const picture = png(64, 48);
const processed = (message) => message.attachments.every(({ status }) => status === "processed");

function upload(bytes, name, type = "image/png", kind = "photo") {
  const data = new FormData();
  data.append("kind", kind);
  data.append("file", new File([bytes], name, { type }));
  return data;
}

describe("media in a bucket", { skip: swiftMissing }, () => {
  const w = new World();
  let swift;

  before(async () => {
    swift = await Swift.start();
    w.secrets.push(swift.secret);
    w.env = { ...swift.settings, PARLEY_S3_PREFIX: "shop/media", PARLEY_RETRY_AFTER: Array(16).fill("2s").join(",") };
    await w.start();
  });
  after(async () => {
    await w.stop();
    await swift?.stop();
  });

  const nameOf = (attachment) => new URL(attachment.url).pathname.split("/").pop();
  const keyOf = (attachment) => `shop/media/${nameOf(attachment)}`;
  const get = (attachment, headers, method = "GET") => w.api.with(null).ask(method, `/storage/${nameOf(attachment)}`, { headers });
  const copies = () => readdirSync(join(w.folder, "media", "copies"));
  const again = async (env) => {
    await w.server.stop();
    await w.serve(env);
  };

  /** What the bot's last message has at the platform. */
  async function fileOnTelegram(talk) {
    const message = (await talk.onTelegram()).at(-1);
    const { file_id } = message.photo?.at(-1) ?? message.document;
    const { file_path } = await w.sandbox.ask("getFile", { file_id }, talk.bot.token);
    return Buffer.from(await (await fetch(`${w.sandbox.url}/file/bot${talk.bot.token}/${file_path}`)).arrayBuffer());
  }

  test("what comes in and what goes out are objects there", async () => {
    const talk = await w.talk();
    const heard = await talk.hear(upload(picture, "their.png"), processed);
    const said = await talk.say({ media: [{ data: picture.toString("base64"), filename: "ours.png" }] });
    for (const { attachments: [attachment] } of [heard, said]) {
      assert.equal((await swift.objects())[keyOf(attachment)], picture.length);
      assert.deepEqual(await swift.read(keyOf(attachment)), picture);
      const there = await swift.ask("GET", `/media/${keyOf(attachment)}`);
      assert.equal(there.headers.get("content-type"), "image/png");
      assert.match(there.headers.get("cache-control"), /immutable/);
      assert.deepEqual((await get(attachment)).bytes, picture);
    }
    assert.deepEqual(await fileOnTelegram(talk), picture);
    assert.deepEqual(readdirSync(join(w.folder, "media", "spool")), []);
  });

  test("a file at an address is fetched into the bucket and sent from there", async () => {
    const talk = await w.talk();
    await again({ PARLEY_ALLOW_PRIVATE_ADDRESSES: "127.0.0.0/8" });
    const first = await talk.hear(upload(picture, "a.png"), processed);
    const said = await talk.say({ media: [`${w.api.url}/storage/${nameOf(first.attachments[0])}`] });
    assert.deepEqual(await swift.read(keyOf(said.attachments[0])), picture);
    assert.deepEqual(await fileOnTelegram(talk), picture);
  });

  test("served as from a folder: ranges, ETag, HEAD", async () => {
    const talk = await w.talk();
    const { attachments: [attachment] } = await talk.hear(upload(picture, "a.png"), processed);
    const whole = await get(attachment);
    assert.equal(whole.status, 200);
    assert.equal(whole.headers.get("content-type"), "image/png");
    const part = await get(attachment, { Range: "bytes=10-19" });
    assert.equal(part.status, 206);
    assert.deepEqual(part.bytes, picture.subarray(10, 20));
    assert.equal((await get(attachment, { "If-None-Match": whole.headers.get("etag") })).status, 304);
    const head = await get(attachment, {}, "HEAD");
    assert.deepEqual([head.status, head.headers.get("content-length")], [200, String(picture.length)]);
    assert.equal((await w.api.with(null).ask("GET", `/storage/${nameOf(attachment).replace(/^.../, "abc")}`)).status, 404);
    assert.equal((await w.api.with(null).ask("GET", "/storage/..%2f..%2fparley.db")).status, 404);
  });

  test("copies come and go", async () => {
    const talk = await w.talk();
    const { attachments: [attachment] } = await talk.hear(upload(picture, "a.png"), processed);
    for (const name of copies()) rmSync(join(w.folder, "media", "copies", name));
    assert.deepEqual((await get(attachment)).bytes, picture);
    assert.deepEqual(copies(), [nameOf(attachment)]);
  });

  test("a large file goes in parts and comes back whole", async () => {
    const talk = await w.talk();
    const large = Buffer.alloc(18 << 20);
    for (let i = 0; i < large.length; i += 4096) large.writeUInt32LE(i, i);
    large.write("%PDF-1.7\n");
    const catalogue = new FormData();
    catalogue.append("media[]", new File([large], "catalogue.pdf", { type: "application/pdf" }));
    const said = await talk.say(undefined, { multipart: catalogue });
    const [attachment] = said.attachments;
    assert.equal((await swift.objects())[keyOf(attachment)], large.length);
    const there = await swift.ask("HEAD", `/media/${keyOf(attachment)}`);
    assert.match(there.headers.get("etag"), /-3"?$/, "three parts");
    assert.equal(there.headers.get("content-disposition"), "attachment");
    assert.ok((await swift.read(keyOf(attachment))).equals(large));
    assert.ok((await get(attachment)).bytes.equals(large));
    assert.ok((await fileOnTelegram(talk)).equals(large));
  });

  test("by redirect to the bucket", async () => {
    const talk = await w.talk();
    const { attachments: [attachment] } = await talk.hear(upload(picture, "a.png"), processed);
    await again({ PARLEY_S3_URL_TIME: "10m" });
    try {
      for (const method of ["GET", "HEAD"]) {
        const answer = await get(attachment, {}, method);
        assert.equal(answer.status, 302);
        assert.equal(answer.headers.get("cache-control"), "public, max-age=300");
        const location = answer.headers.get("location");
        assert.ok(location.startsWith(`http://${swift.host}/media/${keyOf(attachment)}?X-Amz-`), location);
        const there = await fetch(location, { method });
        assert.equal(there.status, 200);
        assert.equal(there.headers.get("content-type"), "image/png");
        if (method === "GET") assert.deepEqual(Buffer.from(await there.arrayBuffer()), picture);
        assert.equal((await fetch(location.replace(/Expires=600/, "Expires=601"), { method })).status, 403, "signed");
      }
      assert.equal((await w.api.with(null).ask("GET", "/storage/nothing.png")).status, 404);
    } finally {
      await again();
    }
  });

  test("while the bucket is silent: what needs it waits, the rest goes on", async () => {
    const talk = await w.talk();
    const { attachments: [known] } = await talk.hear(upload(picture, "a.png"), processed);
    swift.pause();
    let sent;
    try {
      sent = (await talk.write(upload(png(9, 9), "b.png"))).message_id;
      await talk.received(sent);
      await talk.say("texts go on");
      assert.deepEqual((await get(known)).bytes, picture, "what is here can be read");
    } finally {
      swift.resume();
    }
    const message = await talk.received(sent, processed);
    assert.equal((await swift.objects())[keyOf(message.attachments[0])], png(9, 9).length);
  });

  test("without the bucket: 503, and everything is done once it is back", async () => {
    const talk = await w.talk();
    const { attachments: [known] } = await talk.hear(upload(picture, "a.png"), processed);
    await swift.refuse();
    let sent;
    try {
      sent = (await talk.write(upload(png(9, 9), "b.png"))).message_id;
      await talk.received(sent);
      assert.match(await talk.refusal({ media: [{ data: picture.toString("base64") }] }), /^503 A media file could not be stored: /);
        rmSync(join(w.folder, "media", "copies", nameOf(known)));
      const answer = await get(known);
      assert.equal(answer.status, 503);
      assert.equal(answer.json.error, "The file cannot be read at the moment");
      assert.ok(Number(answer.headers.get("retry-after")) > 0);
    } finally {
      await swift.accept();
    }
    const message = await talk.received(sent, processed);
    assert.equal((await swift.objects())[keyOf(message.attachments[0])], png(9, 9).length);
    assert.deepEqual((await get(known)).bytes, picture);
  });

  for (const [name, isAway] of [["what goes with a profile goes from the bucket", false], ["also when the bucket is away at that moment", true]])
    test(name, async () => {
      const talk = await w.talk();
      const messages = [await talk.hear(upload(picture, "a.png"), processed), await talk.say({ media: [{ data: picture.toString("base64"), filename: "b.png" }] })];
      const keys = messages.map(({ attachments: [attachment] }) => keyOf(attachment));
      for (const key of keys) assert.ok((await swift.objects())[key], key);
      if (isAway) await swift.refuse();
      await w.api.delete(`/api/profiles/${talk.profile.id}`);
      if (isAway) {
        await until(() => w.server.log.some(({ msg }) => msg === "media not removed"), "it was tried", 30);
        await swift.accept();
      }
      await until(async () => {
        const there = await swift.objects();
        return keys.every((key) => !(key in there));
      }, "the objects are gone", 30);
      assert.equal((await get(messages[0].attachments[0])).status, 404);
    });

  test("copied to a folder and back", async () => {
    await w.server.stop();
    const objects = Object.entries(await swift.objects()).filter(([name]) => name.startsWith("shop/media/"));
    const copy = async (from, to) => w.command(["media", "copy", "--from", from, "--to", to], { env: swift.settings });
    const down = await copy("s3", "disk");
    assert.equal(down.code, 0, down.stderr);
    const [, copied, , there, missing] = /^(\d+) copied \((\d+) bytes\), (\d+) there already, (\d+) missing$/m.exec(down.stdout.trim().split("\n").at(-1));
    assert.deepEqual([Number(there), Number(missing)], [0, 0]);
    assert.ok(Number(copied) > 5 && Number(copied) <= objects.length, `${copied} of ${objects.length}`);
    assert.match((await copy("s3", "disk")).stdout, new RegExp(`^0 copied \\(0 bytes\\), ${copied} there already, 0 missing$`, "m"));

    await w.serve({ PARLEY_S3_BUCKET: "" });
    const profiles = (await w.api.get("/api/profiles?per_page=100")).data;
    let files = 0;
    for (const { id } of profiles)
      for (const chat of (await w.api.get(`/api/profiles/${id}/chats`)).data)
        for (const message of (await w.api.get(`/api/chats/${chat.id}/messages?per_page=100`)).data)
          for (const attachment of message.attachments) {
            files++;
            const answer = await get(attachment);
            assert.deepEqual([answer.status, answer.bytes.length], [200, attachment.size]);
          }
    assert.ok(files > 5);
    await w.server.stop();

    const gone = objects.map(([name]) => name);
    for (const name of gone) await swift.remove(name);
    const up = await copy("disk", "s3");
    assert.equal(up.code, 0, up.stderr);
    assert.match(up.stdout, new RegExp(`^${copied} copied \\(\\d+ bytes\\), 0 there already, 0 missing$`, "m"));
    const now = await swift.objects();
    assert.equal(Object.keys(now).filter((name) => name.startsWith("shop/media/")).length, Number(copied));
    for (const [name, size] of Object.entries(now)) assert.equal(size, Object.fromEntries(objects)[name], name);

    const [lost] = Object.keys(now);
    await swift.remove(lost);
    const short = lost.split("/").pop();
    rmSync(join(w.folder, "media", short.slice(0, 2), short));
    const without = await copy("disk", "s3");
    assert.equal(without.code, 1);
    assert.match(without.stderr, new RegExp(`${short} is missing[^]*1 objects that the database names are missing`));
    for (const [words, says] of [[["copy"], /say `parley media copy/], [["copy", "--from", "disk", "--to", "disk"], /nothing to copy/], [["copy", "--from", "disk", "--to", "moon"], /not 'moon'/]]) {
      const got = await w.command(["media", ...words]);
      assert.match(got.stderr, says);
      assert.equal(got.code, 2);
    }
    await w.serve();
  });

  test("what is set wrongly is said at the start", async () => {
    for (const [env, says] of [
      [{ PARLEY_S3_SECRET_ACCESS_KEY: "not-the-secret-0123" }, /s3-secret-access-key is not the one of s3-access-key-id/],
      [{ PARLEY_S3_ACCESS_KEY_ID: "test:nobody" }, /403 .*: (it does not know s3-access-key-id|s3-secret|these keys)/],
      [{ PARLEY_S3_BUCKET: "nothing-there" }, /it has no such bucket/],
      [{ PARLEY_S3_REGION: "eu-central-1" }, /s3-region/],
      [{ PARLEY_S3_ENDPOINT: "http://127.0.0.1:1" }, /127\.0\.0\.1:1 cannot be reached/],
      [{ PARLEY_S3_ENDPOINT: "http://127.0.0.1/path" }, /must be a scheme and a host/],
      [{ PARLEY_S3_SECRET_ACCESS_KEY: "" }, /needs s3-access-key-id and s3-secret-access-key/],
    ]) {
      const got = await w.command(["serve", "--listen", "127.0.0.1:0"], { env: { ...swift.settings, PARLEY_DATA_DIR: temporaryFolder(), ...env } });
      assert.match(got.stderr, says);
      assert.ok(got.code === 1 || got.code === 2);
      assert.ok(!got.stderr.includes(swift.secret) && !got.stderr.includes("not-the-secret"));
    }
  });
});

// Sending on Messenger and Instagram: texts, files, the window, and what Meta is asked for all that.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import { after, before, describe, test } from "node:test";

import { FLAVOURS, META, MetaTalk, metaSettings } from "./lib/meta.js";
import { png } from "./lib/sandbox.js";
import { until } from "./lib/until.js";
import { startSite, world } from "./lib/world.js";

const HOUR = 3600_000;
const PAGE = FLAVOURS[0];
const w = world({
  env: { PARLEY_ALLOW_PRIVATE_ADDRESSES: "127.0.0.0/8", PARLEY_UPLOAD_MAX: "51M", PARLEY_RETRY_AFTER: Array(16).fill("100ms").join(",") },
  ready: ({ meta }) => meta.setCallback(),
});
let site;
before(async () => (site = await startSite()));
after(() => site.stop());

const isPage = (talk) => talk.account.flavour === PAGE;
/** Who speaks for the account in Meta's paths. */
const speaker = (talk) => talk.account.page ?? talk.account.id;
const set = (meta) => w.sandbox.control("POST", "/settings", { meta });
const fault = (talk, order) => w.sandbox.fault({ platform: "meta", on: "messages", bot: speaker(talk), ...order });
const outOnMeta = async (talk) => (await talk.onMeta()).filter((m) => m.direction === "out");
const asked = (talk, operation = "messages") => w.meta.calls(`?account=${speaker(talk)}&operation=${operation}`);
/** What came of a message, in order. */
async function told(message, types) {
  const { data } = await w.api.get(`/api/events?limit=1000&types=${types}`);
  return data.filter((event) => event.data.message.id === message.id);
}
const message = (talk, sent) => w.api.get(`/api/messages/${sent.id}`);

/** A web server that passes all on to the sandbox and keeps what was asked, as it came. */
async function startWitness(target) {
  const requests = [];
  const server = http.createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces);
    requests.push({ url: request.url, headers: request.headers, body: body.toString("latin1") });
    const onward = http.request(target + request.url, { method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.end(body);
  });
  server.listen(0, "127.0.0.1").unref();
  await once(server, "listening");
  return { requests, url: `http://127.0.0.1:${server.address().port}`, stop: () => (server.closeAllConnections(), server.close()) };
}

for (const flavour of FLAVOURS)
  describe(`text, ${flavour}`, () => {
    let talk;
    before(async () => (talk = await w.meta.talk(flavour)));

    test("is accepted as pending, then published, and told of once", async () => {
      const sent = await talk.send("Yes, we ship to Spain. 😀");
      const expected = {
        id: sent.id, chat_id: talk.chat.id, external_id: null, direction: "outbound", body: "Yes, we ship to Spain. 😀", status: "pending",
        external_comment_id: null, error_message: null, platform_data: null, external_posted_at: null, external_delivered_at: null,
        external_read_at: null, external_edited_at: null, reply_to_external_id: null, reply_markup: null, external_deleted_at: null,
        reactions: [], attachments: [], is_unsupported: false, created_at: sent.created_at,
      };
      assert.deepEqual(sent, expected);
      const published = await talk.reaches(sent, "published");
      const arrived = (await talk.onMeta()).at(-1);
      assert.deepEqual([arrived.direction, arrived.text], ["out", sent.body]);
      await talk.hear("Thanks"); // what was said before has been told of
      const { external_posted_at, external_delivered_at } = await message(talk, sent);
      assert.deepEqual({ ...published, external_delivered_at: null },
        { ...expected, status: "published", external_id: arrived.mid, external_posted_at: published.external_posted_at });
      assert.ok(Math.abs(Date.parse(external_posted_at) - arrived.timestamp) < 10_000, `${external_posted_at} is not ${arrived.timestamp}`);
      if (isPage(talk)) await until(async () => (await message(talk, sent)).external_delivered_at, "it is delivered");
      else assert.equal(external_delivered_at, null);
      assert.equal((await told(sent, "message.sent")).length, 1);
      assert.equal((await talk.list("direction=outbound")).length, 1, "the echo made another");
      const chat = await talk.readChat();
      assert.ok(Math.abs(Date.parse(chat.last_outbound_at) - arrived.timestamp) < 10_000);
    });

    test("is asked for in Meta's form", async () => {
      const sent = await talk.say("in form");
      const { path, params, method } = (await asked(talk)).at(-1);
      const to = { recipient: { id: talk.chat.participant_external_id } };
      assert.equal(method, "POST");
      if (isPage(talk)) assert.deepEqual(params, { ...to, messaging_type: "RESPONSE", message: { text: "in form", metadata: sent.id } });
      else if (talk.account.page) assert.deepEqual(params, { ...to, messaging_type: "RESPONSE", message: { text: "in form" } });
      else assert.deepEqual(params, { ...to, message: { text: "in form" } });
      const prefix = talk.account.login ? "/instagram" : "";
      assert.match(path, new RegExp(`^${prefix}/v\\d+\\.0/(me|${speaker(talk)})/messages$`));
    });

    test("up to the limit, in the platform's own measure", async () => {
      const [edge, beyond, given, limit] = isPage(talk)
        ? ["😀".repeat(2000), "😀".repeat(2001), "2001", "2000"]
        : ["é".repeat(500), `${"é".repeat(500)}a`, "1001", "1000"];
      await talk.say(edge);
      assert.equal((await talk.onMeta()).at(-1).text, edge);
      const refusal = await talk.refusal({ body: beyond });
      assert.match(refusal, /^422 /);
      assert.ok(refusal.includes(limit) && refusal.includes(given), refusal);
    });

    test("what does not go is refused, and Meta is not asked", async () => {
      const calls = (await asked(talk)).length;
      const picture = "data:image/png;base64,iVBORw0KGgo=";
      for (const [body, words] of [
        [{}, "400 body or media is required"],
        [{ body: " \n", media: [] }, "400 body or media is required"],
        [{ body: "x", media: [picture] }, "422 Direct messages support either text or attachment per send, not both"],
        [{ media: [picture, picture] }, "422 Direct messages support one attachment per send"],
      ])
        assert.equal(await talk.refusal(body), words);
      assert.match(await talk.refusal({ body: "x", reply_to_external_id: "m_1" }), /^422 .*reply_to_external_id/);
      assert.match(await talk.refusal({ body: "x", reply_markup: { inline_keyboard: [] } }), /^422 .*reply_markup/);
      const sent = await talk.list("direction=outbound&status=published");
      assert.equal(await w.api.refusal("PATCH", `/api/messages/${sent[0].id}`, { body: "x" }), "422 Editing messages is only supported on Telegram");
      for (const method of ["POST", "DELETE"]) assert.match(await w.api.refusal(method, `/api/chats/${talk.chat.id}/archive`), /^422 .*Bluesky/);
      assert.equal((await asked(talk)).length, calls);
    });

    test("an Idempotency-Key makes one message of two requests", async () => {
      const headers = { "Idempotency-Key": `${flavour} once` };
      const first = await talk.send("once", { headers });
      const again = await talk.send("once", { headers });
      assert.equal(again.id, first.id);
      assert.match(await talk.refusal({ body: "other" }, { headers }), /^422 /);
      await talk.reaches(first, "published");
      assert.equal((await outOnMeta(talk)).filter((m) => m.text === "once").length, 1);
    });

    test("an echo that comes before the answer makes no second message", async () => {
      await set({ echo_first: true });
      try {
        const sent = await Promise.all(["early 1", "early 2"].map((body) => talk.send(body)));
        for (const one of sent) await talk.reaches(one, "published");
        await talk.hear("all told");
        for (const one of sent) assert.equal((await told(one, "message.sent")).length, 1);
        const here = (await talk.list("direction=outbound")).filter((m) => m.body.startsWith("early"));
        assert.deepEqual(here.map((m) => m.id).toSorted(), sent.map((m) => m.id).toSorted());
        for (const { external_id, body } of here) assert.equal((await talk.onMeta()).find((m) => m.mid === external_id).text, body);
      } finally {
        await set({ echo_first: false });
      }
    });

    test("what was written in Meta's own inbox is here, once", async () => {
      const { message: there } = await talk.act("POST", "/inbox", { text: "By hand" });
      const here = await talk.find(there.mid);
      assert.deepEqual([here.direction, here.status, here.body], ["outbound", "published", "By hand"]);
      assert.equal((await told(here, "message.sent")).length, 1);
    });
  });

describe("what goes over the line", () => {
  let line;
  const seen = world({ env: { PARLEY_ALLOW_PRIVATE_ADDRESSES: "127.0.0.0/8" } });
  before(async () => {
    line = await startWitness(seen.sandbox.url);
    await seen.server.stop();
    await seen.serve(metaSettings(line.url));
    await seen.meta.setCallback();
    await seen.sandbox.control("POST", "/settings", { meta: { require_proof: true } });
  });
  after(() => line.stop());

  for (const flavour of FLAVOURS)
    test(`${flavour}: the token is in no address, the proof is Meta's`, async () => {
      const from = line.requests.length;
      const talk = await seen.meta.talk(flavour);
      await talk.say("text");
      await talk.say({ media: [`data:image/png;base64,${png(3, 3).toString("base64")}`] });
      const inbound = (await talk.list("direction=inbound"))[0];
      await seen.api.post(`/api/messages/${inbound.id}/react`);
      const requests = line.requests.slice(from);
      assert.ok(requests.length >= 6, `only ${requests.length} requests`);
      const { token } = talk.account;
      const proof = createHmac("sha256", META.app.secret).update(token).digest("hex");
      let proofs = 0;
      for (const { url, headers, body } of requests) {
        assert.ok(!url.includes(token), url);
        assert.ok(!url.includes(META.app.secret) && !url.includes(META.instagram.secret), url);
        if (url.startsWith("/meta-cdn/")) continue;
        assert.ok(headers.authorization === `Bearer ${token}` || body.includes(token), `${url} without the token`);
        if (url.includes(proof) || body.includes(proof)) proofs++;
        else assert.ok(talk.account.login, `${url} without the proof`);
      }
      if (talk.account.login) assert.equal(proofs, 0);
    });
});

describe("a new chat", () => {
  for (const flavour of FLAVOURS)
    test(`${flavour}: somebody Meta does not know is refused in its words`, async () => {
      const account = await w.meta.account(flavour);
      const path = `/api/profiles/${account.profile.id}/chats`;
      const chat = await w.api.post(path, { participant_external_id: "7009999999999999", participant_name: "Nobody" }, { status: 201 });
      const again = await w.api.post(path, { participant_external_id: "7009999999999999", participant_username: "nobody" }, { status: 200 });
      assert.deepEqual([again.id, again.participant_name, again.participant_username], [chat.id, "Nobody", "nobody"]);
      const words = /No matching user found|user cannot be found/;
      const answer = await w.api.ask("POST", `/api/chats/${chat.id}/messages`, { json: { body: "Hello?" } });
      if (answer.status === 422) return assert.match(answer.json.error, words);
      assert.equal(answer.status, 202);
      const failed = await until(async () => {
        const now = await w.api.get(`/api/messages/${answer.json.id}`);
        return now.status === "failed" && now;
      }, "it failed");
      assert.match(failed.error_message, words);
      assert.equal((await told(failed, "message.failed")).length, 1);
    });

  test("with somebody who wrote before we were there is carried by the platform", async () => {
    const account = await w.meta.makeAccount(PAGE);
    const person = await w.meta.makePerson();
    await w.meta.control("POST", `/accounts/${account.id}/chats/${person.id}/messages`, { text: "long ago" });
    const id = (await w.meta.control("GET", "/people")).data.find((one) => one.id === person.id).scoped_ids[account.id];
    const profile = await w.meta.connect(account);
    const chat = await w.api.post(`/api/profiles/${profile.id}/chats`, { participant_external_id: id }, { status: 201 });
    assert.equal(chat.last_inbound_at, null);
    const sent = await w.api.post(`/api/chats/${chat.id}/messages`, { body: "We are here now" }, { status: 202 });
    await until(async () => (await w.api.get(`/api/messages/${sent.id}`)).status === "published", "it is published");
    const there = (await w.meta.control("GET", `/accounts/${account.id}/chats/${person.id}/messages`)).data;
    assert.equal(there.at(-1).text, "We are here now");
  });
});

describe("the window of 24 hours", () => {
  for (const flavour of FLAVOURS) {
    /** A chat whose person wrote that long ago, and nothing since. */
    async function quietSince(ms) {
      const account = await w.meta.account(flavour);
      const talk = new MetaTalk(w.meta, account, await w.meta.makePerson());
      const wrote = Date.now() - ms;
      await talk.write({ text: "Hello", timestamp: wrote });
      talk.chat = await until(() => talk.findChat(), "the chat exists");
      return { talk, wrote };
    }

    test(`${flavour}: closed, a send is a 422 that says since when; a new message opens it`, async () => {
      const { talk, wrote } = await quietSince(25 * HOUR);
      const refusal = await talk.refusal({ body: "late" });
      assert.match(refusal, /^422 .*window/);
      assert.ok(refusal.includes(new Date(wrote + 24 * HOUR).toISOString()), refusal);
      assert.match(await talk.refusal({ media: ["https://a.example/b.png"] }), /^422 .*window/);
      assert.equal((await talk.list("direction=outbound")).length, 0);
      assert.deepEqual(await asked(talk), []);
      await talk.hear("Still there?");
      await talk.say("Yes");
    });

    test(`${flavour}: open to the last, closed while a message waits`, async () => {
      const { talk } = await quietSince(24 * HOUR - 40_000);
      await talk.say("just in time");
      await fault(talk, { kind: "rate_limit", retry_after: 60 });
      try {
        const sent = await talk.send("too late");
        const failed = await talk.reaches(sent, "failed");
        assert.match(failed.error_message, /(window|time) in which this person may be written to ends/);
        assert.equal((await told(sent, "message.failed")).length, 1);
        assert.deepEqual((await outOnMeta(talk)).map((m) => m.text), ["just in time"]);
      } finally {
        await w.sandbox.control("DELETE", "/faults");
      }
    });
  }

  test("what Meta says of it is the last word", async () => {
    for (const flavour of FLAVOURS) {
      const talk = await w.meta.talk(flavour);
      await fault(talk, { kind: "status", status: 400, code: 10, subcode: isPage(talk) ? 2018278 : 2534022,
        description: "(#10) This message is sent outside of allowed window." });
      const failed = await talk.reaches(await talk.send("x"), "failed");
      assert.match(failed.error_message, /outside of allowed window/);
      assert.equal((await w.api.get(`/api/profiles/${talk.profile.id}`)).status, "active");
      await talk.say("the next one goes");
    }
  });
});

describe("order", () => {
  for (const flavour of FLAVOURS)
    test(`${flavour}: kept within a chat through trouble; chats are independent`, async () => {
      const account = await w.meta.account(flavour);
      const [troubled, free] = [await w.meta.talk(flavour, { account }), await w.meta.talk(flavour, { account })];
      await fault(troubled, { chat: troubled.chat.participant_external_id, kind: "status", status: 500, code: 2, count: 3,
        description: "Service temporarily unavailable" });
      const bodies = ["one", "two", "three", "four"];
      const sent = [];
      for (const body of bodies) sent.push(await troubled.send(body));
      const waiting = await until(async () => {
        const now = await told(sent[0], "message.failed_waiting_for_retry");
        return now.length > 0 && now[0];
      }, "it waits");
      assert.match(waiting.data.message.error_message, /temporarily unavailable/);
      await free.say("not held up");
      for (const one of sent) await troubled.reaches(one, "published");
      assert.deepEqual((await outOnMeta(troubled)).map((m) => m.text), bodies);
      assert.equal((await message(troubled, sent[0])).error_message, null);
    });

  test("a message that fails for good lets the next go", async () => {
    const talk = await w.meta.talk(PAGE);
    await fault(talk, { kind: "status", status: 400, code: 100, subcode: 2018001, description: "(#100) No matching user found" });
    const [lost, next] = [await talk.send("lost"), await talk.send("next")];
    assert.match((await talk.reaches(lost, "failed")).error_message, /No matching user found/);
    await talk.reaches(next, "published");
    assert.deepEqual((await outOnMeta(talk)).map((m) => m.text), ["next"]);
  });
});

describe("who cannot be written to", () => {
  for (const flavour of FLAVOURS) {
    test(`${flavour}: a person who blocked the account`, async () => {
      const talk = await w.meta.talk(flavour);
      await talk.act("POST", "/block");
      const failed = await talk.reaches(await talk.send("Hello?"), "failed");
      assert.match(failed.error_message, /This person isn't available right now/);
      assert.equal((await w.api.get(`/api/profiles/${talk.profile.id}`)).status, "active");
      await talk.act("POST", "/unblock");
      await talk.say("Welcome back");
    });

    test(`${flavour}: another app has the thread`, async () => {
      const talk = await w.meta.talk(flavour);
      await w.meta.control("PATCH", `/accounts/${talk.account.id}`, { thread_owner: 4711 });
      const failed = await talk.reaches(await talk.send("Hello?"), "failed");
      assert.match(failed.error_message, /another app/i);
      assert.equal((await w.api.get(`/api/profiles/${talk.profile.id}`)).status, "active");
      await w.meta.control("PATCH", `/accounts/${talk.account.id}`, { thread_owner: 0 });
      await talk.say("Ours again");
    });
  }
});

const picture = png(40, 30);
const samples = {
  png: [picture, "image/png", "image"],
  jpeg: [Buffer.from("ffd8ffe000104a46494600010100000100010000ffc0000b080010002001011100ffd9", "hex"), "image/jpeg", "image"],
  gif: [Buffer.concat([Buffer.from("GIF89a"), Buffer.from([10, 0, 20, 0, 0, 0, 0, 0x3b])]), "image/gif", "image"],
  mp4: [Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from("ftypisom\0\0\x02\0isommp41"), Buffer.alloc(64)]), "video/mp4", "video"],
  wav: [Buffer.from("524946462400000057415645666d7420100000000100010044ac000088580100020010006461746100000000", "hex"), "audio/wav", "audio"],
  pdf: [Buffer.from("%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"), "application/pdf", "file"],
  mp3: [Buffer.concat([Buffer.from("ID3\x03\0\0\0\0\0\0"), Buffer.from([0xff, 0xfb, 0x90, 0x64]), Buffer.alloc(400)]), "audio/mpeg", "audio"],
  text: [Buffer.from("Celadon bowl, 22 cm: 48 EUR\n"), "text/plain", "file"],
};
const onlyMessenger = ["mp3", "text"];
const dataUri = ([bytes, type]) => `data:${type};base64,${bytes.toString("base64")}`;
const upload = (bytes, name, type) => {
  const multipart = new FormData();
  multipart.append("media[]", new File([bytes], name, { type }));
  return { multipart };
};

for (const flavour of FLAVOURS)
  describe(`one file, ${flavour}`, () => {
    let talk;
    before(async () => (talk = await w.meta.talk(flavour)));

    /** The file that came with that message to Meta: { type, bytes }. */
    async function fileOnMeta({ external_id }) {
      const there = (await talk.onMeta()).find((m) => m.mid === external_id);
      assert.equal(there.attachments.length, 1);
      const response = await fetch(there.attachments[0].payload.url);
      return { type: there.attachments[0].type, bytes: Buffer.from(await response.arrayBuffer()) };
    }

    const forms = {
      "an address": () => ({ json: { media: [`${site.url}/bowl.png`] } }),
      "a data URI": () => ({ json: { media: [dataUri(samples.png)] } }),
      "a base64 object": () => ({ json: { media: [{ data: picture.toString("base64"), filename: "bowl.png", content_type: "image/png" }] } }),
      "multipart": () => upload(picture, "bowl.png", "image/png"),
    };
    for (const [name, make] of Object.entries(forms))
      test(name, async () => {
        site.files["/bowl.png"] = { bytes: picture, type: "image/png" };
        const sent = await talk.send(undefined, make());
        assert.deepEqual([sent.status, sent.body, sent.attachments.length], ["pending", null, 1]);
        if (name === "an address") assert.deepEqual([sent.attachments[0].status, sent.attachments[0].url], ["pending", `${site.url}/bowl.png`]);
        const message = await talk.reaches(sent, "published");
        const [file] = message.attachments;
        assert.deepEqual([file.id, file.type, file.status, file.content_type, file.size, file.width, file.height],
          [sent.attachments[0].id, "image", "processed", "image/png", picture.length, 40, 30]);
        const stored = await w.api.with(null).ask("GET", new URL(file.url).pathname);
        assert.deepEqual(stored.bytes, picture);
        assert.deepEqual(await fileOnMeta(message), { type: "image", bytes: picture });
        const { params } = (await asked(talk)).at(-1);
        if (isPage(talk)) assert.equal(params.filedata.size, picture.length);
        else assert.deepEqual(params.message, { attachment: { type: "image", payload: { url: file.url } } });
        await talk.hear(`${name} seen`);
        assert.equal((await message_(sent)).attachments.length, 1);
        assert.equal((await told(sent, "message.sent")).length, 1);
      });

    const message_ = (sent) => message(talk, sent);

    for (const [name, sample] of Object.entries(samples))
      if (flavour === PAGE || !onlyMessenger.includes(name))
        test(`${name} goes as ${sample[2]}`, async () => {
          const message = await talk.say({ media: [dataUri(sample)] });
          assert.equal(message.attachments[0].type, sample[2]);
          assert.deepEqual(await fileOnMeta(message), { type: sample[2], bytes: sample[0] });
        });
      else
        test(`${name} is refused: before if we have it, else when it was fetched`, async () => {
          assert.match(await talk.refusal({ media: [dataUri(sample)] }), new RegExp(`^422 .*Instagram takes .*not ${sample[1]}`));
          site.files[`/${name}`] = { bytes: sample[0], type: sample[1] };
          const failed = await talk.reaches(await talk.send({ media: [`${site.url}/${name}`] }), "failed");
          assert.match(failed.error_message, new RegExp(`Instagram takes .*not ${sample[1]}`));
        });

    test("too large is refused with limit and size: before if we know it, else when it was fetched", async () => {
      const limit = (isPage(talk) ? 25 : 8) * 1024 * 1024;
      const tooLarge = Buffer.concat([picture, Buffer.alloc(limit + 1 - picture.length)]);
      const answer = await w.api.ask("POST", talk.messagesPath, upload(tooLarge, "large.png", "image/png"));
      assert.equal(answer.status, 422);
      assert.match(answer.json.error, /\d/);
      assert.ok(answer.json.error.includes(String(limit)) && answer.json.error.includes(String(tooLarge.length)), answer.json.error);
      site.files["/large.png"] = { bytes: tooLarge, type: "image/png" };
      const failed = await talk.reaches(await talk.send({ media: [`${site.url}/large.png`] }), "failed");
      assert.ok(failed.error_message.includes(String(limit)), failed.error_message);
      const film = Buffer.concat([samples.mp4[0], Buffer.alloc(25 * 1024 * 1024 + 1 - samples.mp4[0].length)]);
      const second = await w.api.ask("POST", talk.messagesPath, upload(film, "film.mp4", "video/mp4"));
      assert.equal(second.status, 422, second.text);
      assert.ok(second.json.error.includes(String(25 * 1024 * 1024)), second.json.error);
    });

    test("a link that is dead fails the message and says so; the next goes", async () => {
      const [dead, next] = [await talk.send({ media: [`${site.url}/nowhere.png`] }), await talk.send("after it")];
      const failed = await talk.reaches(dead, "failed");
      assert.match(failed.error_message, /404/);
      assert.equal(failed.attachments[0].status, "failed");
      await talk.reaches(next, "published");
    });
  });

describe("without a public URL", () => {
  const quiet = world({ webhook: false });
  for (const flavour of FLAVOURS)
    test(`${flavour}: texts go, and ${flavour === PAGE ? "files too" : "files are refused with the setting's name"}`, async () => {
      const account = await quiet.meta.makeAccount(flavour);
      const person = await quiet.meta.makePerson();
      await quiet.meta.control("POST", `/accounts/${account.id}/chats/${person.id}/messages`, { text: "Hello" });
      const talk = new MetaTalk(quiet.meta, { ...account, profile: await quiet.meta.connect(account) }, person);
      talk.chat = await quiet.api.post(`/api/profiles/${talk.profile.id}/chats`, { participant_external_id: await talk.scopedId() });
      await talk.say("a text");
      const media = { media: [dataUri(samples.png)] };
      if (isPage(talk)) return void (await talk.say(media));
      const answer = await quiet.api.ask("POST", talk.messagesPath, { json: media });
      const words = answer.status === 422 ? answer.json.error : (await talk.reaches(answer.json, "failed")).error_message;
      assert.match(words, /PARLEY_PUBLIC_URL/);
      await talk.say("the next text");
    });
});

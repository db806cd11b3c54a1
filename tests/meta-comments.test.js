// Comments below a Page's posts and an Instagram account's media.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { FLAVOURS } from "./lib/meta.js";
import { until } from "./lib/until.js";
import { Wall } from "./lib/wall.js";
import { world } from "./lib/world.js";

const w = world({ ready: ({ meta }) => meta.setCallback() });
const isFacebook = (flavour) => flavour === "facebook";
const encoded = encodeURIComponent;

for (const flavour of FLAVOURS)
  describe(flavour, () => {
    test("a comment is kept and told", async () => {
      const wall = await Wall.build(w, flavour);
      const said = await wall.write("¿How much? 😀 a/b");
      const comment = await wall.find(said.id);
      const author_external_id = await wall.scopedId();
      const { id, created_at, permalink, platform_data, posted_at, ...rest } = comment;
      const shown = isFacebook(flavour) ? said.name : wall.person.username; // Pages are told names alone
      assert.deepEqual(rest, {
        external_id: said.id, body: "¿How much? 😀 a/b", status: "published", author_external_id, author_username: shown, author_avatar_url: null, parent_external_id: null, like_count: 0,
        is_hidden: false, attachments: [], replies: [],
      });
      assert.ok(Math.abs(Date.parse(posted_at) - said.timestamp) < 5000, posted_at);
      assert.deepEqual(await wall.find(id), comment, "its own id leads to it too");
      assert.deepEqual(await wall.list(), { total: 1, page: 0, per_page: 100, data: [comment] });

      const post = (await w.api.get("/api/posts?per_page=100")).data.find(({ platforms }) => platforms[0].external_id === wall.id);
      assert.deepEqual(await w.api.get(`/api/posts/${encoded(wall.id)}`), post);
      assert.deepEqual(await w.api.get(`/api/posts/${post.id}`), post);
      assert.deepEqual([post.status, post.scheduled_at, post.media, post.thread], ["processed", null, [], []]);
      assert.deepEqual([post.platforms.length, post.platforms[0].platform, post.platforms[0].profile_id], [1, wall.profile.platform, wall.profile.id]);
      assert.deepEqual((await w.api.get(`/api/posts/${post.id}/comments?profile_id=${wall.profile.id}`)).data, [comment]);

      const [event, ...more] = await wall.events();
      assert.deepEqual(more, []);
      const { object, ...data } = event.data;
      assert.deepEqual(data, object);
      assert.deepEqual(data, {
        id, post_id: post.id, platform_post_id: wall.id, platform: wall.profile.platform, external_id: said.id, parent_external_id: null, body: "¿How much? 😀 a/b", status: "published", author_external_id,
        author_name: isFacebook(flavour) ? said.name : null, author_username: isFacebook(flavour) ? null : wall.person.username, author_avatar_url: null,
        like_count: 0, reply_count: 0, is_hidden: false, permalink, platform_data, posted_at, created_at,
      });
      assert.deepEqual(await wall.chats(), [], "a comment is no conversation");
    });

    test("answers stand below what they answer, however deep", async () => {
      const wall = await Wall.build(w, flavour);
      const first = await wall.hear("first");
      const second = await wall.hear("second");
      const answer = await wall.hear("answer", { parent_id: first.external_id });
      await wall.hear("our own", { parent_id: first.external_id, user: null });
      const last = await wall.hear("deeper", { parent_id: isFacebook(flavour) ? answer.external_id : first.external_id });
      const whole = await until(async () => {
        const { data } = await wall.list();
        return data.find(({ id }) => id === first.id)?.replies.length === 3 && data;
      }, "three answers are here");
      assert.deepEqual(whole.map(({ body }) => body), ["second", "first"], "newest first");
      assert.deepEqual(whole[1].replies.map(({ body }) => body), ["answer", "our own", "deeper"], "oldest first");
      assert.equal(whole[1].replies[0].parent_external_id, first.external_id);
      assert.deepEqual(whole[0], second);
      assert.deepEqual(await wall.find(first.external_id), whole[1]);
      assert.equal((await wall.list()).total, 2);
      assert.equal((await wall.find(last.external_id)).body, "deeper", "an answer has an address of its own");
    });

    test("comments of the account itself are kept and told to nobody", async () => {
      const wall = await Wall.build(w, flavour);
      const own = await wall.hear("Thank you all", { user: null });
      assert.equal(own.author_external_id, wall.account.id);
      await wall.hear("You are welcome");
      assert.deepEqual((await wall.events()).map(({ data }) => data.body), ["You are welcome"]);
      assert.match(await wall.refusal(own.external_id), /^422 /);
    });

    test("the list has pages", async () => {
      const wall = await Wall.build(w, flavour);
      for (let n = 0; n < 5; n++) await wall.hear(`${n}`);
      const pages = [];
      for (let page = 0; page < 4; page++) pages.push(await wall.list(`page=${page}&per_page=2`));
      assert.deepEqual(pages.map(({ total, page, per_page, data }) => [total, page, per_page, data.map(({ body }) => body)]), [[5, 0, 2, ["4", "3"]], [5, 1, 2, ["2", "1"]], [5, 2, 2, ["0"]], [5, 3, 2, []]]);
      const at = `/api/posts/${encoded(wall.id)}/comments?profile_id=${wall.profile.id}`;
      for (const query of ["page=-1", "page=x", "per_page=0", "per_page=101"]) assert.match(await w.api.refusal("GET", `${at}&${query}`), /^400 /, query);
      for (const query of ["page=-1", "per_page=101"]) assert.match(await w.api.refusal("GET", `/api/posts?${query}`), /^400 /, query);
    });

    test("what is not there is a 404", async () => {
      const wall = await Wall.build(w, flavour);
      const comment = await wall.hear("here");
      const other = await Wall.build(w, flavour);
      const foreign = await other.hear("there");
      for (const path of ["/api/posts/post_11111111111", "/api/posts/1", wall.commentPath("cmt_11111111111"), wall.commentPath("1"), wall.commentPath(foreign.id), wall.commentPath(comment.id, other.id),
        `/api/posts/${encoded(wall.id)}/comments/${comment.id}?profile_id=prof_11111111111`])
        assert.match(await w.api.refusal("GET", path), /^404 /, path);
      const elsewhere = await w.api.ask("GET", `/api/posts/${encoded(wall.id)}/comments?profile_id=${other.profile.id}`);
      assert.ok(elsewhere.status === 404 || elsewhere.json.total === 0, elsewhere.text);
      const group = await w.api.post("/api/profile_groups", { name: "Elsewhere" });
      assert.match(await w.api.refusal("GET", `${wall.commentPath(comment.id)}&profile_group_id=${group.id}`), /^404 /);
      assert.equal((await w.api.get(`/api/posts?profile_group_id=${group.id}`)).total, 0);
      for (const path of [`/api/posts/${encoded(wall.id)}/comments/${comment.id}`, `/api/posts/${encoded(wall.id)}/comments`]) {
        const { status } = await w.api.ask("GET", path);
        assert.ok([200, 400].includes(status), `${path} without profile_id: ${status}`);
      }
    });

    test("a comment told twice is one", async () => {
      const wall = await Wall.build(w, flavour);
      await w.sandbox.fault({ platform: "meta", on: "webhook", kind: "duplicate", count: 1 });
      await wall.hear("twice?");
      await w.meta.calm();
      await w.sandbox.fault({ platform: "meta", on: "webhook", kind: "cut_after", count: 1 });
      await wall.hear("lost?");
      assert.equal((await wall.list()).total, 2);
      assert.equal((await wall.events()).length, 2);
    });
  });

describe("a Page's comments change", () => {
  const value = (wall, id, verb, more) => ({
    item: "comment", verb, comment_id: id, post_id: wall.id, parent_id: wall.id, from: { id: "7001002003004005", name: "Ana Lima" }, created_time: Math.floor(Date.now() / 1000) - 100, ...more,
  });

  test("edited, hidden, shown, removed", async () => {
    const wall = await Wall.build(w, "facebook");
    const comment = await wall.hear("helo");
    const change = async (body) => {
      await w.sandbox.advance(1000); // Meta tells the time of such changes in whole seconds
      await w.meta.control("PATCH", `${wall.path}/comments/${encoded(comment.external_id)}`, body);
    };
    await change({ text: "hello" });
    const edited = await wall.find(comment.external_id, (c) => c.body === "hello");
    assert.deepEqual(edited, { ...comment, body: "hello" });
    await change({ hidden: true });
    const hidden = await wall.find(comment.external_id, (c) => c.is_hidden);
    assert.deepEqual(hidden, { ...edited, is_hidden: true, status: "hidden" });
    await change({ hidden: false });
    assert.deepEqual(await wall.find(comment.external_id, (c) => !c.is_hidden), edited);
    const answer = await wall.hear("answer", { parent_id: comment.external_id });
    await w.meta.control("DELETE", `${wall.path}/comments/${encoded(comment.external_id)}`);
    await until(async () => !(await wall.list()).data.some(({ id }) => id === comment.id), "it is left out");
    const after = await w.api.ask("GET", wall.commentPath(comment.id));
    if (after.status === 200) assert.deepEqual([after.json.status, after.json.body], ["removed", null]);
    else assert.equal(after.status, 404);
    assert.match(await wall.refusal(comment.external_id), /^422 /);
    assert.deepEqual((await wall.events()).map(({ data }) => data.id), [comment.id, answer.id], "only what is new is told");
  });

  test("in any order they end the same", async () => {
    const wall = await Wall.build(w, "facebook");
    await wall.post();
    const at = Date.now() - 60000;
    const steps = (id) => [
      () => wall.tell(value(wall, id, "add", { message: "one" }), at),
      () => wall.tell(value(wall, id, "edited", { message: "two" }), at + 10000),
      () => wall.tell(value(wall, id, "hide", { message: undefined }), at + 20000),
      () => wall.tell(value(wall, id, "edited", { message: "three" }), at + 30000),
    ];
    const orders = [[0, 1, 2, 3], [0, 3, 2, 1], [1, 0, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [2, 3, 1, 0], [1, 3, 0, 2]];
    const ids = orders.map((_, n) => `555000111_55500022${n}`);
    for (const [n, order] of orders.entries()) for (const step of order) await steps(ids[n])[step]();
    for (const [n, order] of orders.entries()) {
      const comment = await wall.find(ids[n], (c) => c.body === "three" && c.is_hidden);
      assert.deepEqual([comment.status, comment.author_external_id, comment.parent_external_id], ["hidden", "7001002003004005", null], String(order));
    }
    for (const [n, order] of [[0, 1], [1, 0]].entries()) {
      const id = `555000111_55500033${n}`;
      const both = [() => wall.tell(value(wall, id, "add", { message: "secret" }), at), () => wall.tell(value(wall, id, "remove", { message: undefined, created_time: undefined }), at + 1000)];
      for (const step of order) await both[step]();
      await wall.hear(`after ${n}`);
      assert.ok(!(await wall.list()).data.some(({ external_id }) => external_id === id), `a removed one does not come back (${order})`);
    }
    assert.equal(new Set((await wall.events()).map(({ data }) => data.id)).size, (await wall.events()).length, "each is told once");
  });

  test("an answer that comes before what it answers stands below it", async () => {
    const wall = await Wall.build(w, "facebook");
    await wall.post();
    await wall.tell(value(wall, "555000111_2", "add", { message: "answer", parent_id: "555000111_1" }));
    await wall.tell(value(wall, "555000111_1", "add", { message: "question" }));
    const question = await wall.find("555000111_1", (c) => c.replies.length === 1);
    assert.equal(question.replies[0].body, "answer");
    assert.deepEqual((await wall.list()).data.map(({ body }) => body), ["question"]);
  });

  test("what is no comment, or half of one, holds nothing up", async () => {
    const wall = await Wall.build(w, "facebook");
    await wall.post();
    for (const odd of [null, 5, {}, { item: "post", verb: "add" }, { item: "reaction", verb: "add", comment_id: "1_2", reaction_type: "like" },
      { item: "comment" }, { item: "comment", verb: "add" }, { item: "comment", verb: "shout", comment_id: "1_2" },
      { item: "comment", verb: "edited", comment_id: "", post_id: wall.id }, { item: "like", verb: "add" }])
      await wall.tell(odd);
    await wall.tell(value(wall, "555000111_3", "add", { from: undefined, message: undefined, photo: "https://scontent.xx.fbcdn.net/x.jpg" }));
    const comment = await wall.find("555000111_3");
    assert.deepEqual([comment.author_external_id, comment.author_username, comment.body], [null, null, null]);
    assert.ok(JSON.stringify(comment).includes("https://scontent.xx.fbcdn.net/x.jpg"));
    assert.deepEqual((await wall.list()).data.map(({ id }) => id), [comment.id]);
  });
});

describe("Instagram's comments in other shapes", () => {
  test("on the entry, by another name, of a broadcast", async () => {
    const wall = await Wall.build(w, "instagram by itself");
    await wall.post();
    const time = Math.floor(Date.now() / 1000);
    const value = (more) => ({ text: "price?", from: { id: "6001002003004005", username: "ana.lima" }, media: { id: wall.id, media_product_type: "FEED" }, ...more });
    const shapes = [{ field: "comments", value: value({ id: "18000000000000101" }) }, { changes: [{ field: "comments", value: value({ comment_id: "18000000000000102" }) }] },
      { changes: [{ field: "live_comments", value: value({ id: "18000000000000103" }) }] }, { changes: [{ field: "comments", value: value({ id: "18000000000000104", text: undefined, from: undefined }) }] }];
    for (const shape of shapes) await w.meta.deliver({ object: "instagram", entry: [{ id: wall.account.id, time, ...shape }] });
    for (const n of [1, 2, 3, 4]) {
      const comment = await wall.find(`1800000000000010${n}`);
      assert.deepEqual([comment.body, comment.author_username, comment.posted_at], n === 4 ? [null, null, comment.posted_at] : ["price?", "ana.lima", new Date(time * 1000).toISOString()]);
    }
    assert.equal((await wall.list()).total, 4);
  });
});

// What the npm package `consul`, of several ages, sees of an agent: node client.js HOST PACKAGE. Prints "ok" and what was done; ends with 1 otherwise.
const assert = require("assert");
const Consul = require(process.argv[3]);
const consul = new Consul({ host: process.argv[2], port: 8500, promisify: true });
const lock = `npm/lock-of-${process.argv[3]}`; // it has its delay after the end
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what, check) {
  for (let i = 0; i < 600; i++) {
    if (await check()) return;
    await sleep(100);
  }
  throw new Error(what);
}

async function keys() {
  assert.strictEqual(await consul.kv.set("npm/a", "one"), true);
  assert.strictEqual(await consul.kv.set({ key: "npm/b", value: "<two> \u20ac", flags: 42 }), true);
  const b = await consul.kv.get("npm/b");
  assert.deepStrictEqual([b.Value, b.Flags, b.LockIndex], ["<two> \u20ac", 42, 0]);
  assert.deepStrictEqual(await consul.kv.keys("npm/"), ["npm/a", "npm/b"]);
  assert.strictEqual((await consul.kv.get({ key: "npm", recurse: true })).length, 2);
  assert.ok(!(await consul.kv.set({ key: "npm/a", value: "x", cas: "1" }))); // it turns false into undefined
  assert.strictEqual(await consul.kv.get("npm/none"), undefined);
  await consul.kv.del({ key: "npm", recurse: true });
  assert.strictEqual(await consul.kv.get("npm/a"), undefined);
}

async function services() {
  await consul.agent.service.register({ name: "npm", id: "npm1", port: 1234, tags: ["t"], meta: { k: "v" }, check: { ttl: "60s" } });
  assert.strictEqual((await consul.agent.service.list()).npm1.Port, 1234);
  await consul.agent.check.pass({ id: "service:npm1", note: "fine" });
  await until("passing", async () => (await consul.health.service({ service: "npm", passing: true })).length === 1);
  assert.strictEqual((await consul.catalog.service.nodes("npm"))[0].ServiceID, "npm1");
  assert.deepStrictEqual((await consul.catalog.service.list()).npm, ["t"]);
  assert.ok((await consul.health.checks("npm")).length === 1);
  await consul.agent.check.fail("service:npm1");
  await until("critical", async () => (await consul.health.state("critical")).some((c) => c.CheckID === "service:npm1"));
  await consul.agent.service.maintenance({ id: "npm1", enable: true, reason: "why" });
  assert.ok((await consul.agent.check.list())["_service_maintenance:npm1"]);
  await consul.agent.service.maintenance({ id: "npm1", enable: false });
  await consul.agent.service.deregister("npm1");
  await until("gone", async () => (await consul.catalog.service.nodes("npm")).length === 0);
}

async function agent() {
  const self = await consul.agent.self();
  assert.strictEqual(self.Config.Datacenter, "dc1");
  assert.ok((await consul.agent.members()).length >= 1);
  assert.ok(/:8300$/.test(await consul.status.leader()));
  assert.ok((await consul.catalog.node.list()).length >= 1);
  assert.deepStrictEqual(await consul.catalog.datacenters(), ["dc1"]);
  const fired = await consul.event.fire("npm-event", "payload");
  assert.strictEqual(fired.Name, "npm-event");
  await until("event", async () => (await consul.event.list("npm-event")).some((e) => e.Payload === "payload"));
}

async function sessions() {
  const one = (await consul.session.create({ name: "npm", ttl: "60s", behavior: "delete" })).ID;
  const two = (await consul.session.create()).ID;
  assert.strictEqual(await consul.kv.set({ key: lock, value: "1", acquire: one }), true);
  assert.ok(!(await consul.kv.set({ key: lock, value: "2", acquire: two })));
  assert.strictEqual((await consul.kv.get(lock)).Session, one);
  assert.ok((await consul.session.list()).length >= 2);
  assert.strictEqual((await consul.session.get(one)).Name, "npm");
  await consul.session.renew(one);
  await consul.session.destroy(one);
  await until("the lock went with its session", async () => (await consul.kv.get(lock)) === undefined);
  await consul.session.destroy(two);
}

async function transactions() {
  const done = await consul.transaction.create([
    { KV: { Verb: "set", Key: "npm/t1", Value: Buffer.from("a").toString("base64") } },
    { KV: { Verb: "get", Key: "npm/t1" } },
  ]);
  assert.strictEqual(done.Results.length, 2);
  await consul.kv.del("npm/t1");
}

async function watches() {
  const seen = [];
  const watch = consul.watch({ method: consul.kv.get, options: { key: "npm/watched" }, backoffFactor: 100 });
  watch.on("change", (data) => seen.push(data ? data.Value : undefined));
  await consul.kv.set("npm/watched", "1");
  await until("the first value", async () => seen.includes("1"));
  await consul.kv.set("npm/watched", "2");
  await until("the second value", async () => seen.includes("2"));
  watch.end();
  await consul.kv.del("npm/watched");
}

(async () => {
  for (const part of [keys, services, agent, sessions, transactions, watches]) {
    await part();
    console.log("ok", part.name);
  }
})().catch((e) => {
  console.error(e);
  process.exit(1);
});

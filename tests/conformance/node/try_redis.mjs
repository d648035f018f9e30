// What a user of node-redis would try first, with the port and the protocol given; prints JSON.
import { createClient, RESP_TYPES } from "redis";

const [port, RESP] = process.argv.slice(2).map(Number);
const client = createClient({ RESP, socket: { host: "127.0.0.1", port } });
client.on("error", () => {}); // a lost connection is made anew
const listener = client.duplicate();
listener.on("error", () => {});
const found = {};

async function refusal(promise) {
  return promise.then(() => null, (error) => error.message);
}

async function strings() {
  found.set = await client.set("greeting", "hello");
  found.get = await client.get("greeting");
  found.nothing = await client.get("nothing");
  await client.set("bytes", Buffer.from([0, 255, 13, 10]));
  const raw = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  found.bytes = [...(await raw.get("bytes"))];
  await client.mSet({ a: "1", b: "zwei" });
  found.mget = await client.mGet(["a", "b", "c"]);
  found.incr = [await client.incr("n"), await client.incrBy("n", 41)];
  found.append = await client.append("greeting", " world");
  found.del = await client.del(["a", "b", "c"]);
}

async function expiry() {
  const once = { expiration: { type: "EX", value: 1000 }, condition: "NX" };
  found.nx = [await client.set("once", "1", once), await client.set("once", "2", once)];
  const ttl = await client.ttl("once");
  found.ttl = ttl > 900 && ttl <= 1000;
  found.persist = [await client.persist("once"), await client.ttl("once")];
  await client.setEx("soon", 1000, "x");
  found.past = [await client.pExpireAt("soon", 1), await client.get("soon")];
}

async function transactions() {
  found.multi = await client.multi().set("m", "1").incr("m").get("m").exec();
  await client.watch("m");
  const other = await client.duplicate().connect();
  await other.set("m", "9");
  await other.close();
  found.watched = await client.multi().set("m", "3").exec().then(() => null, (error) => error.constructor.name);
}

async function pipelines() {
  const numbers = Array.from({ length: 1000 }, (_, i) => i);
  const replies = await Promise.all(numbers.map((i) => client.set(`p:${i}`, String(i))));
  found.pipeline = replies.every((reply) => reply === "OK");
  const many = await client.multi(); // sent together, without MULTI
  numbers.forEach((i) => many.get(`p:${i}`));
  found.many = (await many.execAsPipeline()).every((value, i) => value === String(i));
  const keys = new Set();
  for await (const some of client.scanIterator({ MATCH: "p:*", COUNT: 100 })) some.forEach((key) => keys.add(key));
  found.scan = keys.size;
}

async function messages() {
  await listener.connect();
  const got = [];
  let done;
  const all = new Promise((resolve) => (done = resolve));
  const add = (message, channel) => got.push([channel, message]) === 2 && done();
  await listener.subscribe("news", add);
  await listener.pSubscribe("n*", add);
  found.publish = await client.publish("news", "hello");
  await all;
  found.messages = got;
  await listener.unsubscribe("news");
  await listener.pUnsubscribe("n*");
  found.unheard = await client.publish("news", "hello");
}

async function others() {
  found.range = await client.sendCommand(["KV.RANGE", "[p:1", "[p:10"]);
  found.refused = [
    await refusal(client.sendCommand(["NOSUCH"])),
    await refusal(client.hSet("h", "f", "1")),
    await refusal(client.eval("return 1")),
  ];
  found.config = await client.configGet("appendonly");
  await client.select(3);
  found.select = await client.dbSize();
  found.info = /^redis_version:7\./m.test(await client.info("server"));
  await client.select(0);
  const back = new Promise((resolve) => client.once("ready", resolve));
  const killer = await client.duplicate().connect();
  await killer.sendCommand(["CLIENT", "KILL", "ID", String(await client.clientId())]);
  await killer.close();
  await back;
  found.reconnected = await client.get("greeting");
}

await client.connect();
await strings();
await expiry();
await transactions();
await pipelines();
await messages();
await others();
await Promise.all([client.close(), listener.close()]);
console.log(JSON.stringify(found));

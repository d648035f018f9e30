// What a user of ioredis would try first, on the server at the port given; prints JSON.
import Redis from "ioredis";

const port = Number(process.argv[2]);
const redis = new Redis(port, { lazyConnect: true });
redis.on("error", () => {}); // a lost connection is made anew
const listener = redis.duplicate();
const found = {};

async function refusal(promise) {
  return promise.then(() => null, (error) => error.message);
}

async function strings() {
  found.set = await redis.set("greeting", "hello");
  found.get = await redis.get("greeting");
  found.nothing = await redis.get("nothing");
  await redis.set("bytes", Buffer.from([0, 255, 13, 10]));
  found.bytes = [...(await redis.getBuffer("bytes"))];
  await redis.mset({ a: 1, b: "zwei" });
  found.mget = await redis.mget("a", "b", "c");
  found.incr = [await redis.incr("n"), await redis.incrby("n", 41)];
  found.append = await redis.append("greeting", " world");
  found.del = await redis.del("a", "b", "c");
}

async function expiry() {
  found.nx = [await redis.set("once", 1, "EX", 1000, "NX"), await redis.set("once", 2, "NX")];
  const ttl = await redis.ttl("once");
  found.ttl = ttl > 900 && ttl <= 1000;
  found.persist = [await redis.persist("once"), await redis.ttl("once")];
  await redis.setex("soon", 1000, "x");
  found.past = [await redis.pexpireat("soon", 1), await redis.get("soon")];
}

async function transactions() {
  found.multi = await redis.multi().set("m", 1).incr("m").get("m").exec();
  await redis.watch("m");
  const other = redis.duplicate();
  await other.set("m", 9);
  await other.quit();
  found.watched = await redis.multi().set("m", 3).exec();
}

async function pipelines() {
  const pipeline = redis.pipeline();
  for (let i = 0; i < 1000; i++) pipeline.set(`p:${i}`, i);
  const replies = await pipeline.exec();
  found.pipeline = replies.every(([error, reply]) => error === null && reply === "OK");
  const many = await Promise.all(Array.from({ length: 1000 }, (_, i) => redis.get(`p:${i}`)));
  found.many = many.every((value, i) => value === String(i));
  const keys = new Set();
  for await (const some of redis.scanStream({ match: "p:*", count: 100 })) some.forEach((key) => keys.add(key));
  found.scan = keys.size;
}

async function messages() {
  const got = [];
  const all = new Promise((resolve) => {
    const add = (...message) => got.push(message) === 2 && resolve();
    listener.on("message", add);
    listener.on("pmessage", add);
  });
  found.subscribed = [await listener.subscribe("news"), await listener.psubscribe("n*")];
  found.publish = await redis.publish("news", "hello");
  await all;
  found.messages = got;
  found.unsubscribed = [await listener.unsubscribe("news"), await listener.punsubscribe("n*")];
}

async function others() {
  found.range = await redis.call("KV.RANGE", "[p:1", "[p:10");
  found.refused = [
    await refusal(redis.call("NOSUCH")),
    await refusal(redis.hset("h", "f", 1)),
    await refusal(redis.eval("return 1", 0)),
  ];
  await redis.select(3);
  found.select = await redis.dbsize();
  found.info = /^redis_version:7\./m.test(await redis.info("server"));
  await redis.select(0);
  await redis.client("KILL", "ID", await redis.client("ID"), "SKIPME", "no").catch(() => null);
  found.reconnected = await redis.get("greeting");
}

await redis.connect();
await strings();
await expiry();
await transactions();
await pipelines();
await messages();
await others();
await Promise.all([redis.quit(), listener.quit()]);
console.log(JSON.stringify(found));

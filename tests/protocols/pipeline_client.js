// ioredis with pipelines of 2,000 commands, each made and sent at once. As clients.py; NODE_PACKAGES names where it is installed.
//   pipeline_client.js PORT TRUTH READY [AUTHORITY]
'use strict';
const fs = require('fs');
const path = require('path');
const Redis = require(path.join(process.env.NODE_PACKAGES, 'node_modules', 'ioredis'));

const [port, truth, ready, authority] = process.argv.slice(2);
const calls = [];
const now = () => Number(process.hrtime.bigint());
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function piped(redis) {
  const pipeline = redis.pipeline();
  const names = [];
  for (let number = 0; number < 2000; number++) {
    pipeline.get(`user:${number}`);
    names.push(['GET GET user:{id}', null]);
    if (number % 10 === 0) {
      pipeline.lrange('list', 0, -1);
      pipeline.incr('word');
      names.push(['LRANGE LRANGE list', null], ['INCR INCR word', 'ERR']);
    }
  }
  const begin = now();
  await pipeline.exec();
  const end = now();
  for (const [name, error] of names) calls.push({name, begin, end, error, status: null});
}

async function main() {
  const connect = () => new Redis({port: Number(port), host: '127.0.0.1', enableReadyCheck: false, ...(authority ? {tls: {ca: fs.readFileSync(authority)}} : {})});
  let redis = connect();
  for (let number = 0; number < 2000; number++) await redis.set(`user:${number}`, 'x'.repeat(number % 100));
  await redis.rpush('list', 'a', 'bc', 'd'.repeat(100));
  await redis.set('word', 'x');
  if (authority) await redis.quit();
  fs.writeFileSync(ready, '');
  while (!fs.existsSync(`${ready}.go`)) await sleep(10);
  await sleep(200);
  if (authority) redis = connect();
  await redis.ping();
  for (let turn = 0; turn < 2; turn++) await piped(redis);
  fs.writeFileSync(truth, calls.map((call) => JSON.stringify(call) + '\n').join(''));
  await sleep(300);
  redis.disconnect();
}
main();

// grpc-js: unary calls, one that fails, and streams. As clients.py; NODE_PACKAGES names where it is installed.
//   grpc_client.js PORT TRUTH READY [AUTHORITY]
'use strict';
const fs = require('fs');
const path = require('path');
const grpc = require(path.join(process.env.NODE_PACKAGES, 'node_modules', '@grpc', 'grpc-js'));

const [port, truth, ready, authority] = process.argv.slice(2);
const calls = [];
const now = () => Number(process.hrtime.bigint());
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const same = (bytes) => bytes;

function connect() {
  const credentials = authority ? grpc.credentials.createSsl(fs.readFileSync(authority)) : grpc.credentials.createInsecure();
  return new grpc.Client(`127.0.0.1:${port}`, credentials);
}

function unary(client, message) {
  return new Promise((resolve) => client.makeUnaryRequest('/test.Things/Get', same, same, message, (error) => resolve(error)));
}

function listing(client, message) {
  return new Promise((resolve, reject) => {
    const stream = client.makeServerStreamRequest('/test.Things/List', same, same, message);
    stream.on('data', () => {});
    stream.on('error', reject);
    stream.on('end', resolve);
  });
}

async function rounds(client) {
  for (let number = 0; number < 100; number++) {
    for (const [name, error, call] of [['Get', null, () => unary(client, Buffer.from('x'))], ['Get', 'NOT_FOUND', () => unary(client, Buffer.from('bad'))],
      ['List', null, () => listing(client, Buffer.alloc(2000, 'x'))]]) {
      const begin = now();
      await call();
      calls.push({name: `POST /test.Things/${name}`, begin, end: now(), error, status: 200});
    }
  }
}

async function main() {
  fs.writeFileSync(ready, '');
  while (!fs.existsSync(`${ready}.go`)) await sleep(10);
  await sleep(200);
  const client = connect();
  await rounds(client);
  client.close();
  fs.writeFileSync(truth, calls.map((call) => JSON.stringify(call) + '\n').join(''));
  await sleep(300);
}
main();

// Node's client of the TLS tests: https with an agent, and undici's fetch. As clients.py.
//   client.js node|node_crowd PORT TRUTH READY        (NODE_EXTRA_CA_CERTS names the authority)
'use strict';
const https = require('https');
const fs = require('fs');
const tls = require('tls');

const [kind, port, truth, ready] = process.argv.slice(2);
const calls = [];
const now = () => Number(process.hrtime.bigint());

async function call(request, method, path, shape, status, body) {
  const begin = now();
  const got = await request(method, path, body);
  if (got !== status) throw new Error(`${path}: ${got}`);
  calls.push({name: `${method} ${shape}`, begin, end: now(), error: null, status, local: null, remote: null});
}

const agent = new https.Agent({keepAlive: true, maxSockets: 5});
const byHttps = (method, path, body) => new Promise((resolve, reject) => {
  const request = https.request({host: 'localhost', port, path, method, agent}, (response) => {
    response.on('data', () => {});
    response.on('end', () => resolve(response.statusCode));
  });
  request.on('error', reject);
  request.end(body);
});
const byFetch = async (method, path, body) => {
  const response = await fetch(`https://localhost:${port}${path}`, {method, body});
  await response.arrayBuffer();
  return response.status;
};

async function worker(request, number) {
  for (let turn = 0; turn < 15; turn++) {
    await call(request, 'GET', `/items/${number * 1000 + turn}`, '/items/{id}', 200);
    await call(request, 'POST', '/upload', '/upload', 201, Buffer.alloc(70000, 'z'));
    await call(request, 'GET', '/big', '/big', 200);
  }
}

// 150 connections at once over 10 hosts: every call names the connection that it went over, which the socket knows.
async function crowd() {
  const sockets = await Promise.all([...Array(150).keys()].map((number) => new Promise((resolve, reject) => {
    const host = number % 10 + 1;
    const socket = tls.connect({host: `127.0.0.${host}`, port, servername: `host${host}.example`}, () => resolve({socket, host}));
    socket.on('error', reject);
  })));
  const get = (socket, host, path) => new Promise((resolve) => {
    let text = '';
    const on = (data) => {
      text += data;
      const end = text.indexOf('\r\n\r\n');
      if (end >= 0 && text.length >= end + 4 + 40) {
        socket.off('data', on);
        resolve(Number(text.split(' ')[1]));
      }
    };
    socket.on('data', on);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: host${host}.example\r\n\r\n`);
  });
  await Promise.all(sockets.map(async ({socket, host}) => {
    for (let turn = 0; turn < 20; turn++) {
      const path = `/from/p${socket.localPort}/t${turn}`;
      const begin = now();
      const status = await get(socket, host, path);
      calls.push({name: `GET ${path}`, begin, end: now(), error: null, status, local: socket.localPort, remote: `127.0.0.${host}`});
    }
  }));
}

async function main() {
  fs.writeFileSync(ready, '');
  while (!fs.existsSync(`${ready}.go`)) await new Promise((resolve) => setTimeout(resolve, 20));
  if (kind === 'node_crowd') {
    await crowd();
  } else {
    for (const request of [byHttps, byFetch]) {
      await Promise.all([...Array(10).keys()].map((number) => worker(request, number)));
    }
  }
  fs.writeFileSync(truth, calls.map((one) => JSON.stringify(one) + '\n').join(''));
  process.exit(0);
}
main().catch((error) => { console.error(error); process.exit(1); });

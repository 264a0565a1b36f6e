// One service for each way in which Node programs reach their stores: query builders, object mappers, pools, queues, HTTP clients.
//
// Environment: APP_PORT, APP_POSTGRES (URL), APP_REDIS, APP_PROVIDER (ports), APP_KIND (a key of KINDS), APP_POOL (connections), APP_MODULES (packages),
// APP_TRUTH (file, written at the end).
//
// Every request has a number of its own, which is a value in each statement, key and path that is sent for it: the stores' own logs say whose each is,
// whatever the driver did between. timesink masks such values. Noted here is only which request has which number.
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import { KINDS } from './kinds.mjs';

const env = process.env;
const load = createRequire(env.APP_MODULES + '/');
const now = () => Number(process.hrtime.bigint());
const sleep = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });
const truth = [];
const kind = await KINDS[env.APP_KIND]({ load, env, pool: Number(env.APP_POOL ?? 4) });

const ENDPOINTS = {
  one: (n) => kind.find('product', n),
  async three(n) { for (const table of ['customer', 'purchase', 'product']) await kind.find(table, n); },
  async five(n) { for (let i = 0; i < 5; i += 1) await kind.find('product', n); },
  parallel: (n) => Promise.all(['customer', 'purchase', 'product'].map((table) => kind.find(table, n))),
  transaction: (n) => kind.transaction(n),
  async timers(n) {
    await kind.find('customer', n);
    await sleep(1 + (n * 7) % 5);
    await kind.find('purchase', n);
  },
  async cache(n) {
    if (await kind.cached(n) === null) await kind.find('customer', n);
    await kind.cache(n);
  },
  multi: (n) => kind.multi(n),
  async enqueue(n) { await kind.find('customer', n); await kind.enqueue(n); },
  async provider(n) { await kind.find('customer', n); await kind.ask(n); await kind.find('product', n); },
  asks: (n) => Promise.all([kind.ask(n), kind.ask(n)]),
  graph: (n) => kind.graph(n),
};

async function serve(request, response) {
  const work = { path: request.url, client: [request.socket.remoteAddress, request.socket.remotePort], begin: now(), number: 1_000_000 + truth.length };
  truth.push(work);
  const name = request.url.split('/')[1];
  await ENDPOINTS[name](work.number);
  const body = JSON.stringify({ path: work.path });
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length });
  response.end(body);
}

process.on('SIGTERM', () => {
  fs.writeFileSync(env.APP_TRUTH, truth.map((work) => JSON.stringify(work) + '\n').join(''));
  process.exit(0);
});

if (kind.listen) {
  await kind.listen(serve, Number(env.APP_PORT));
} else {
  const server = http.createServer(serve);
  server.keepAliveTimeout = 60000;
  server.listen({ port: Number(env.APP_PORT), host: '127.0.0.1', backlog: 512 });
}

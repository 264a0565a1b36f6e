// Requests that share Node's event loop and a pool of connections, with the service's own account of who sent what.
//
// Environment: LOOP_PORT, LOOP_POSTGRES (URL), LOOP_MYSQL, LOOP_REDIS, LOOP_PROVIDER (ports), LOOP_FRAMEWORK (http, express, fastify), LOOP_DRIVER
// (pg, postgres.js, mysql2, mysql2-execute: prepared statements), LOOP_CLIENT (undici, agent, fetch), LOOP_POOL (connections), LOOP_TRUTH (file, written at
// the end), LOOP_MODULES (packages), LOOP_WORKERS (how many; 0: none), LOOP_WORK (what these are: cluster; threads that serve, threads that get jobs,
// see threads.js).
//
// The account is handed through every call explicitly (`work`), so it depends on nothing that timesink looks at, and nothing of it goes over the
// wire. Of every use of a connection it notes the connection's own port and when it began and ended (CLOCK_MONOTONIC); a use ends in the
// callback of its reply, before anyone else can have the connection's next one. Of connections that several share (`redis`, `replied`) the order of
// the ends is that of the replies, and what was read is dealt with before the next read.
import cluster from 'node:cluster';
import fs from 'node:fs';
import http from 'node:http';
import diagnostics from 'node:diagnostics_channel';
import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import { Jobs, doJobs, leadThreads, onFinish } from './threads.js';

const env = process.env;
const load = createRequire(env.LOOP_MODULES + '/');
const POOL = Number(env.LOOP_POOL ?? 4);
const PREPARE = env.LOOP_PREPARE === 'yes';
const STATEMENTS = {
  line: 'SELECT product_id, quantity FROM purchase_line WHERE id = $1',
  customer: 'SELECT name, email FROM customer WHERE id = $1',
  purchase: 'SELECT id, placed FROM purchase WHERE customer_id = $1 LIMIT 5',
  product: 'SELECT price::float FROM product WHERE id = $1',
};
const inMysql = (text) => text.replace('$1', '?').replace('::float', '');
const now = () => Number(process.hrtime.bigint());

class Work {
  constructor(path, socket) {
    this.path = path;
    this.client = [socket.remoteAddress, socket.remotePort];
    this.begin = now();
    this.end = null;
    this.calls = [];
  }

  call(kind, port) {
    const noted = { kind, port, begin: now(), end: null, background: this.end !== null };
    this.calls.push(noted);
    return noted;
  }
}

// Of a connection that is held: when each thing was asked, and when its answer was there.
async function asked(use, answer) {
  const noted = [now(), null];
  (use.asked ??= []).push(noted);
  try {
    return await answer;
  } finally {
    noted[1] = now();
  }
}

// As pg's own pool.query: the connection is given back in the callback of the reply, before the caller goes on.
class Pg {
  async open() {
    this.pool = new (load('pg').Pool)({ connectionString: env.LOOP_POSTGRES, max: POOL, idleTimeoutMillis: 0 });
    const all = await Promise.all(Array.from({ length: POOL }, () => this.pool.connect()));
    all.forEach((client) => client.release());
  }

  query(work, name, number) {
    return new Promise((resolve, reject) => this.pool.connect((failure, client, release) => {
      if (failure) return reject(failure);
      const noted = work.call('statement', client.connection.stream.localPort);
      return client.query(STATEMENTS[name], [number], (error, result) => {
        noted.end = now();
        release(error);
        return error ? reject(error) : resolve(result.rows);
      });
    }));
  }

  async held(work, use) {
    const client = await this.pool.connect();
    const noted = work.call('held', client.connection.stream.localPort);
    try {
      return await use((text, values) => asked(noted, client.query(text, values)));
    } finally {
      noted.end = now();
      client.release();
    }
  }
}

// Which connection a statement used is known by its server process, told with the result. When it was asked is not: it may have waited for its
// connection. When its reply was there is, and each connection's replies are there in the order in which it was asked.
class PostgresJs {
  async open() {
    this.sql = load('postgres')(env.LOOP_POSTGRES, { max: POOL, prepare: PREPARE, idle_timeout: 0, fetch_types: false });
    this.ports = new Map();
    while (this.ports.size < POOL) {
      const asked = Array.from({ length: POOL }, () => this.sql`SELECT pg_backend_pid() AS pid, inet_client_port() AS port, pg_sleep(0.05)`);
      for (const [row] of await Promise.all(asked)) this.ports.set(row.pid, row.port);
    }
  }

  async query(work, name, number) {
    const noted = work.call('replied', 0);
    const rows = await this.sql.unsafe(STATEMENTS[name], [number], { prepare: PREPARE });
    noted.end = now();
    noted.port = this.ports.get(rows.state.pid);
    return rows;
  }

  // A transaction: BEGIN was answered when its body runs, COMMIT when it is over.
  async held(work, use) {
    const noted = work.call('replied', 0);
    noted.replies = [];
    await this.sql.begin(async (sql) => {
      noted.replies.push(now());
      return use(async (text, values) => {
        const rows = await sql.unsafe(text, values);
        noted.replies.push(now());
        noted.port = this.ports.get(rows.state.pid);
      });
    });
    noted.end = now();
    noted.replies.push(noted.end);
  }
}

// As mysql2's own pool.query and pool.execute: the connection is given back when the command has ended, which is behind its callback. Preparing a
// statement is part of the use that needs it.
class Mysql2 {
  async open() {
    this.ask = env.LOOP_DRIVER === 'mysql2-execute' ? 'execute' : 'query';
    this.pool = load('mysql2').createPool({ host: '127.0.0.1', port: Number(env.LOOP_MYSQL), user: 'root', database: 'shop', connectionLimit: POOL });
    const all = await Promise.all(Array.from({ length: POOL }, () => this.take()));
    all.forEach((connection) => connection.release());
  }

  take() {
    return new Promise((resolve, reject) => this.pool.getConnection((failure, connection) => (failure ? reject(failure) : resolve(connection))));
  }

  query(work, name, number) {
    return new Promise((resolve, reject) => this.pool.getConnection((failure, connection) => {
      if (failure) return reject(failure);
      const noted = work.call('statement', connection.stream.localPort);
      return connection[this.ask](inMysql(STATEMENTS[name]), [number], (error, rows) => {
        noted.end = now();
        return error ? reject(error) : resolve(rows);
      }).once('end', () => connection.release());
    }));
  }

  async held(work, use) {
    const connection = await this.take();
    const noted = work.call('held', connection.stream.localPort);
    try {
      return await use((text, values) => asked(noted, new Promise((resolve, reject) => {
        const ask = values ? this.ask : 'query';
        connection[ask](inMysql(text), values, (error, rows) => (error ? reject(error) : resolve(rows)));
      })));
    } finally {
      noted.end = now();
      connection.release();
    }
  }
}

const DRIVERS = { pg: Pg, 'postgres.js': PostgresJs, mysql2: Mysql2, 'mysql2-execute': Mysql2 };
const database = new DRIVERS[env.LOOP_DRIVER]();
const WORKERS = Number(env.LOOP_WORKERS ?? 0);
const leads = WORKERS > 0 && cluster.isPrimary && isMainThread;
const redis = new (load('ioredis').Redis)({ host: '127.0.0.1', port: Number(env.LOOP_REDIS), lazyConnect: leads });
// undici's releases of today need Node 20: on an older one it is Node's own, which its fetch brings.
const CLIENT = env.LOOP_CLIENT === 'undici' && parseInt(process.versions.node, 10) < 20 ? 'fetch' : env.LOOP_CLIENT;
const undici = CLIENT === 'undici' ? load('undici') : null;
const agent = new http.Agent({ keepAlive: true });
const sleep = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });
const immediate = () => new Promise((resolve) => { setImmediate(resolve); });
const delay = (number) => 1 + (number * 7) % 5;

// undici tells the connection on a channel, of the very request object that was made inside our own call.
let asking = null;
const askedBy = new WeakMap();
diagnostics.subscribe('undici:request:create', ({ request }) => { askedBy.set(request, asking); });
diagnostics.subscribe('undici:client:sendHeaders', ({ request, socket }) => {
  const noted = askedBy.get(request);
  if (noted) Object.assign(noted, { port: socket.localPort, begin: now() });
});

// Node's own fetch makes its request some ticks after the call, in its dispatcher; which is there from the first call on.
const noting = (noted) => ({
  dispatch(options, handler) {
    asking = noted;
    try {
      return (globalThis[Symbol.for('undici.globalDispatcher.2')] ?? globalThis[Symbol.for('undici.globalDispatcher.1')]).dispatch(options, handler);
    } finally {
      asking = null;
    }
  },
});

async function provider(work, number) {
  const url = `http://127.0.0.1:${env.LOOP_PROVIDER}/v1/rate?ms=${2 + (number % 6)}`;
  const noted = work.call('provider', 0);
  if (CLIENT === 'agent') {
    await new Promise((resolve, reject) => {
      http.get(url, { agent }, (answer) => {
        noted.port = answer.socket.localPort;
        answer.resume().on('end', resolve);
      }).on('error', reject);
    });
  } else if (CLIENT === 'fetch') {
    await (await fetch(url, { dispatcher: noting(noted) })).text();
  } else {
    asking = noted;
    const answer = undici.request(url);
    asking = null;
    await (await answer).body.text();
  }
  noted.end = now();
}

async function command(work, ...words) {
  const noted = work.call('redis', redis.stream.localPort);
  await redis.call(...words);
  noted.end = now();
}

const query = (work, name, number) => database.query(work, name, number);
const ENDPOINTS = {
  one: (work, n) => query(work, 'line', n),
  async three(work, n) { for (const name of ['customer', 'purchase', 'product']) await query(work, name, n); },
  async five(work, n) { for (let i = 0; i < 5; i += 1) await query(work, 'line', n + i); },
  async many(work, n) { for (let i = 0; i < 20; i += 1) await query(work, 'product', n + i); },
  held: (work, n) => database.held(work, async (ask) => { for (let i = 0; i < 20; i += 1) await ask(STATEMENTS.product, [n + i]); }),
  parallel: (work, n) => Promise.all(['customer', 'purchase', 'product'].map((name) => query(work, name, n))),
  same: (work, n) => Promise.all([0, 1, 2].map((i) => query(work, 'line', n + i))),
  transaction: (work, n) => database.held(work, async (ask) => {
    if (env.LOOP_DRIVER !== 'postgres.js') await ask('BEGIN');
    await ask(STATEMENTS.purchase, [n]);
    await ask(STATEMENTS.line, [n]);
    if (env.LOOP_DRIVER !== 'postgres.js') await ask('COMMIT');
  }),
  async timers(work, n) {
    await query(work, 'customer', n);
    await sleep(delay(n));
    await query(work, 'purchase', n);
    await sleep(delay(n + 1));
    await query(work, 'product', n);
  },
  async fixed(work, n) {
    await query(work, 'purchase', n);
    await sleep(3);
    await query(work, 'customer', n);
  },
  async immediates(work, n) { for (const name of ['product', 'customer', 'line']) { await immediate(); await query(work, name, n); } },
  async provider(work, n) { await query(work, 'customer', n); await provider(work, n); await query(work, 'line', n); },
  async cache(work, n) { await command(work, 'INCR', `seen:${n}`); await command(work, 'GET', `seen:${n}`); await query(work, 'line', n); },
  async pipelined(work, n) {
    await command(work, 'GET', `seen:${n}`);
    await command(work, 'INCR', `seen:${n}`);
    await Promise.all([command(work, 'GET', `name:${n}`), command(work, 'TTL', `seen:${n}`)]);
  },
};

const truth = [];
const jobs = leads && env.LOOP_WORK === 'jobs' ? new Jobs(WORKERS, import.meta.url) : null;

// "17", or a word of the load generator's that stands for it.
const numberOf = (word) => (/^\d+$/.test(word) ? Number(word)
  : word.split('-').reduce((sum, syllable) => sum * 20 + 'bdfgklmnprstvwzcjhxq'.indexOf(syllable[0]), 0));

async function answer(request, socket) {
  const work = new Work(request.url, socket);
  truth.push(work);
  const [, name, number] = request.url.split('/');
  if (jobs) work.calls = await jobs.done({ name, number: numberOf(number) });
  else await ENDPOINTS[name](work, numberOf(number));
  return work;
}

async function job({ name, number }) {
  const work = new Work(name, {});
  await ENDPOINTS[name](work, number);
  return work.calls;
}

function finish() {
  fs.writeFileSync(env.LOOP_TRUTH + (cluster.isWorker ? `.${cluster.worker.id}` : ''), truth.map((work) => JSON.stringify(work) + '\n').join(''));
  process.exit(0);
}

function plain() {
  return http.createServer(async (request, response) => {
    const work = await answer(request, request.socket);
    const body = JSON.stringify({ path: work.path });
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length });
    response.end(body);
    work.end = now();
  });
}

function express() {
  const app = load('express')();
  app.get('/:name/:number', async (request, response) => {
    const work = await answer(request, request.socket);
    response.json({ path: work.path });
    work.end = now();
  });
  return http.createServer(app);
}

async function listen() {
  const where = { port: Number(env.LOOP_PORT), host: '127.0.0.1', backlog: 512, reusePort: !isMainThread };
  if (env.LOOP_FRAMEWORK === 'fastify') {
    const app = load('fastify')({ keepAliveTimeout: 60000 });
    app.get('/:name/:number', async (request) => {
      const work = await answer(request.raw, request.raw.socket);
      work.end = now();
      return { path: work.path };
    });
    await app.listen(where);
    return;
  }
  const server = env.LOOP_FRAMEWORK === 'express' ? express() : plain();
  server.keepAliveTimeout = 60000;
  server.listen(where);
}

// The primary accepts and hands the connections out; each worker has a loop and a pool of its own.
function lead(count) {
  const workers = Array.from({ length: count }, () => cluster.fork());
  process.on('SIGTERM', async () => {
    const ended = workers.map((worker) => new Promise((resolve) => { worker.on('exit', resolve); }));
    workers.forEach((worker) => worker.process.kill('SIGTERM'));
    await Promise.all(ended);
    fs.writeFileSync(env.LOOP_TRUTH, workers.map((worker) => fs.readFileSync(`${env.LOOP_TRUTH}.${worker.id}`)).join(''));
    process.exit(0);
  });
}

async function serve() {
  if (!jobs) await database.open();
  if (isMainThread) process.on('SIGTERM', finish);
  else onFinish(() => truth);
  await listen();
}

async function start() {
  if (!isMainThread && env.LOOP_WORK === 'jobs') {
    await database.open();
    return doJobs(job);
  }
  if (leads && env.LOOP_WORK === 'threads') return leadThreads(WORKERS, import.meta.url, env.LOOP_TRUTH);
  return leads && !jobs ? lead(WORKERS) : serve();
}

await start();

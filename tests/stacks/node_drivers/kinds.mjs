// How each kind of service asks: find(table, n), transaction(n), and what else its endpoints need.

const TEXTS = {
  customer: 'SELECT name, email FROM customer WHERE id = $1',
  purchase: 'SELECT id, placed FROM purchase WHERE customer_id = $1 LIMIT 5',
  product: 'SELECT price::float FROM product WHERE id = $1',
};
const KEYS = { customer: 'id', purchase: 'customer_id', product: 'id' };
const COLUMNS = { customer: ['name', 'email'], purchase: ['id', 'placed'], product: ['id', 'price'] };

const connections = async (pool, open, close) => Promise.all((await Promise.all(Array.from({ length: pool }, open))).map(close));

async function pg({ load, env, pool }) {
  const clients = new (load('pg').Pool)({ connectionString: env.APP_POSTGRES, max: pool, idleTimeoutMillis: 0 });
  await connections(pool, () => clients.connect(), (client) => client.release());
  return {
    pool: clients,
    find: (table, n) => clients.query(TEXTS[table], [n]),
    async transaction(n) {
      const client = await clients.connect();
      try {
        await client.query('BEGIN');
        await client.query(TEXTS.customer, [n]);
        await client.query(TEXTS.product, [n]);
        await client.query('COMMIT');
      } finally {
        client.release();
      }
    },
  };
}

async function genericPool({ load, env, pool }) {
  const { Client } = load('pg');
  const clients = load('generic-pool').createPool({
    async create() { const client = new Client({ connectionString: env.APP_POSTGRES }); await client.connect(); return client; },
    destroy: (client) => client.end(),
  }, { min: pool, max: pool });
  await clients.ready();
  return {
    find: (table, n) => clients.use((client) => client.query(TEXTS[table], [n])),
    transaction: (n) => clients.use(async (client) => {
      await client.query('BEGIN');
      await client.query(TEXTS.customer, [n]);
      await client.query(TEXTS.product, [n]);
      await client.query('COMMIT');
    }),
  };
}

async function knex({ load, env, pool }) {
  const database = load('knex')({ client: 'pg', connection: env.APP_POSTGRES, pool: { min: pool, max: pool } });
  const find = (on, table, n) => on(table).select(COLUMNS[table]).where(KEYS[table], n).limit(5);
  return {
    find: (table, n) => find(database, table, n),
    transaction: (n) => database.transaction(async (inside) => {
      await find(inside, 'customer', n);
      await find(inside, 'product', n);
    }),
  };
}

async function typeorm({ load, env, pool }) {
  load('reflect-metadata');
  const { DataSource, EntitySchema } = load('typeorm');
  const schema = (name, columns) => new EntitySchema({ name, columns: Object.fromEntries(columns.map((column) => [column, {
    type: /^name|email$/.test(column) ? 'text' : column === 'placed' ? 'timestamptz' : column === 'price' ? 'numeric' : 'int', primary: column === 'id' }])) });
  const source = await new DataSource({
    type: 'postgres', url: env.APP_POSTGRES, extra: { max: pool, idleTimeoutMillis: 0 },
    entities: [schema('customer', ['id', 'name', 'email']), schema('purchase', ['id', 'customer_id', 'placed']), schema('product', ['id', 'price'])],
  }).initialize();
  const find = (on, table, n) => on.getRepository(table).find({ where: { [KEYS[table]]: n }, take: 5 });
  return {
    find: (table, n) => find(source, table, n),
    transaction: (n) => source.transaction(async (inside) => {
      await find(inside, 'customer', n);
      await find(inside, 'product', n);
    }),
  };
}

async function sequelize({ load, env, pool }) {
  const { Sequelize, DataTypes } = load('sequelize');
  const database = new Sequelize(env.APP_POSTGRES, { logging: false, pool: { min: pool, max: pool, idle: 600000 } });
  const type = (column) => (/^name|email$/.test(column) ? DataTypes.TEXT : column === 'placed' ? DataTypes.DATE : column === 'price' ? DataTypes.DECIMAL : DataTypes.INTEGER);
  const model = (table, columns) => database.define(table, Object.fromEntries(columns.map((column) => [column, { type: type(column), primaryKey: column === 'id' }])),
    { tableName: table, timestamps: false });
  const models = { customer: model('customer', ['id', 'name', 'email']), purchase: model('purchase', ['id', 'customer_id', 'placed']), product: model('product', ['id', 'price']) };
  const find = (table, n, transaction) => models[table].findAll({ where: { [KEYS[table]]: n }, limit: 5, transaction });
  await Promise.all(Array.from({ length: 2 * pool }, () => database.query('SELECT pg_sleep(0.1)')));
  return {
    find: (table, n) => find(table, n),
    transaction: (n) => database.transaction(async (transaction) => {
      await find('customer', n, transaction);
      await find('product', n, transaction);
    }),
  };
}

async function drizzle(given) {
  const { load } = given;
  const base = await pg(given);
  const database = load('drizzle-orm/node-postgres').drizzle(base.pool);
  const { pgTable, integer, text, timestamp, numeric } = load('drizzle-orm/pg-core');
  const { eq } = load('drizzle-orm');
  const tables = {
    customer: pgTable('customer', { id: integer('id'), name: text('name'), email: text('email') }),
    purchase: pgTable('purchase', { id: integer('id'), customer_id: integer('customer_id'), placed: timestamp('placed') }),
    product: pgTable('product', { id: integer('id'), price: numeric('price') }),
  };
  const find = (on, table, n) => on.select().from(tables[table]).where(eq(tables[table][KEYS[table]], n)).limit(5);
  return {
    find: (table, n) => find(database, table, n),
    transaction: (n) => database.transaction(async (inside) => {
      await find(inside, 'customer', n);
      await find(inside, 'product', n);
    }),
  };
}

// One pipelined connection that everybody shares.
async function ioredis(given) {
  const { load, env } = given;
  const redis = new (load('ioredis').Redis)({ host: '127.0.0.1', port: Number(env.APP_REDIS) });
  return { ...await pg(given), cached: (n) => redis.get(`k:${n}`), cache: (n) => redis.set(`k:${n}`, 'v', 'EX', 60),
    multi: (n) => redis.multi().incr(`a:${n}`).expire(`a:${n}`, 60).exec() };
}

async function nodeRedis(given) {
  const { load, env } = given;
  const redis = load('redis').createClient({ url: `redis://127.0.0.1:${env.APP_REDIS}`, RESP: Number(env.APP_RESP ?? 3) });
  await redis.connect();
  return { ...await pg(given), cached: (n) => redis.get(`k:${n}`), cache: (n) => redis.set(`k:${n}`, 'v', { EX: 60 }),
    multi: (n) => redis.multi().incr(`a:${n}`).expire(`a:${n}`, 60).exec() };
}

// A queue whose worker is in the same process, on connections of its own; its jobs are numbered away from the requests.
async function bullmq(given) {
  const { load, env } = given;
  const base = await pg(given);
  const { Queue, Worker } = load('bullmq');
  const connection = { host: '127.0.0.1', port: Number(env.APP_REDIS) };
  const queue = new Queue('work', { connection });
  const worker = new Worker('work', async (job) => { await base.find('product', 5_000_000 + Number(job.name.slice(1))); }, { connection, concurrency: 2 });
  await worker.waitUntilReady();
  await queue.waitUntilReady();
  return { ...base, enqueue: (n) => queue.add(`n${n}`, {}, { removeOnComplete: true }) };
}

const url = (env, n) => `http://127.0.0.1:${env.APP_PROVIDER}/v1/rate?ms=${2 + (n % 6)}&number=${n}`;

async function axios(given) {
  const { load, env } = given;
  const http = load('http');
  const client = load('axios').create({ httpAgent: new http.Agent({ keepAlive: true, maxSockets: 6 }) });
  return { ...await pg(given), ask: (n) => client.get(url(env, n)) };
}

async function got(given) {
  const { load, env } = given;
  const http = load('http');
  const { default: client } = await import(load.resolve('got'));
  const agent = { http: new http.Agent({ keepAlive: true }) };
  return { ...await pg(given), ask: (n) => client(url(env, n), { agent, retry: { limit: 0 } }).json() };
}

const fetching = async (given) => ({ ...await pg(given), ask: async (n) => (await fetch(url(given.env, n))).json() });

// A loader for each request and table, as GraphQL servers have them: what its fields ask in one tick is one statement.
async function graphql(given) {
  const { load } = given;
  const base = await pg(given);
  const { buildSchema, graphql: run } = load('graphql');
  const Loader = load('dataloader');
  const schema = buildSchema('type Product { price: Float } type Purchase { id: Int product: Product } type Customer { name: String purchases: [Purchase] } type Query { customer: Customer }');
  const texts = { customer: 'SELECT id, name FROM customer WHERE id = ANY($1)', purchase: 'SELECT id, customer_id FROM purchase WHERE customer_id = ANY($1)',
    product: 'SELECT id, price::float FROM product WHERE id = ANY($1)' };
  const product = (n, loaders) => ({ price: async () => { await loaders.product.load(n); return 1; } });
  const root = (n) => ({ customer: async (_, { loaders }) => {
    await loaders.customer.load(n);
    return { name: 'x', async purchases() {
      await loaders.purchase.load(n);
      return [0, 1, 2].map((i) => ({ id: i, product: product(n, loaders) }));
    } };
  } });
  return { ...base,
    async graph(n) {
      const loader = (table) => new Loader(async (keys) => { await base.pool.query(texts[table], [keys]); return keys.map(() => 1); });
      const loaders = { customer: loader('customer'), purchase: loader('purchase'), product: loader('product') };
      const answer = await run({ schema, source: '{ customer { name purchases { id product { price } } } }', rootValue: root(n), contextValue: { loaders } });
      if (answer.errors) throw answer.errors[0];
    } };
}

async function nest(given) {
  const { load } = given;
  load('reflect-metadata');
  const { Module, Controller, Get, Req, Res } = load('@nestjs/common');
  const { NestFactory } = load('@nestjs/core');
  const base = await typeorm(given);
  return { ...base,
    async listen(serve, port) {
      class Everything { async all(request, response) { await serve(request, response); } }
      const decorate = (decorators, target, key) => decorators.reduceRight((descriptor, decorator) => decorator(target, key, descriptor) ?? descriptor,
        Object.getOwnPropertyDescriptor(target, key));
      Object.defineProperty(Everything.prototype, 'all', decorate([Get('*path')], Everything.prototype, 'all'));
      Req()(Everything.prototype, 'all', 0);
      Res()(Everything.prototype, 'all', 1);
      Controller()(Everything);
      class Root {}
      Module({ controllers: [Everything] })(Root);
      const app = await NestFactory.create(Root, { logger: false });
      app.getHttpServer().keepAliveTimeout = 60000;
      await app.listen(port, '127.0.0.1');
    } };
}

export const KINDS = { pg, 'generic-pool': genericPool, knex, typeorm, sequelize, drizzle, ioredis, 'node-redis': nodeRedis, bullmq, axios, got, fetch: fetching, graphql, nest };

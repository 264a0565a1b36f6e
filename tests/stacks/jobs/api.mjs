// Takes orders for images: reserves credits and writes an outbox row in a transaction, adds a job to the queue, answers 202. Writes APP_TRUTH, an object a line: {number, job, begin, end}.
import fs from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";

const require = createRequire(process.env.APP_MODULES + "/");
const { Queue } = require("bullmq");
const { Pool } = require("pg");

const pool = new Pool({ connectionString: process.env.APP_POSTGRES, max: 4 });
const queue = new Queue("images", { connection: { host: "127.0.0.1", port: +process.env.APP_REDIS } });
const now = () => Number(process.hrtime.bigint());

async function order(number, images, fails) {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    await client.query("UPDATE account SET credits = credits - $1 WHERE id = $2", [images, 1 + number % 50]);
    await client.query("INSERT INTO outbox (number, images) VALUES ($1, $2)", [number, images]);
    await client.query("COMMIT");
  } finally {
    client.release();
  }
  const options = { attempts: fails ? 2 : 1, ...(process.env.APP_OWN_IDS ? { jobId: `order-${number}-of-Jane` } : {}) };
  return queue.add(fails ? "refused" : "generate", { number, images, fails }, options);
}

http.createServer(async (request, response) => {
  const begin = now();
  const { searchParams, pathname } = new URL(request.url, "http://x");
  if (pathname !== "/generate") { response.end("ok"); return; }
  const number = +searchParams.get("number");
  const job = await order(number, +searchParams.get("images"), searchParams.has("fails"));
  response.writeHead(202).end(JSON.stringify({ job: job.id }));
  fs.appendFileSync(process.env.APP_TRUTH, JSON.stringify({ number, job: job.id, begin, end: now() }) + "\n");
}).listen(+process.env.APP_PORT, "127.0.0.1");

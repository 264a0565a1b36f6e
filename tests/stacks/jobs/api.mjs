// Takes orders for images: reserves credits and writes an outbox row in a transaction, adds a job to the queue (`second`: and one of that number, which has to be done before it), answers 202.
// Writes APP_TRUTH, an object a line: {number, job, begin, end}.
import fs from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";

const require = createRequire(process.env.APP_MODULES + "/");
const { FlowProducer, Queue } = require("bullmq");
const { Pool } = require("pg");

const pool = new Pool({ connectionString: process.env.APP_POSTGRES, max: 4 });
const connection = { host: "127.0.0.1", port: +process.env.APP_REDIS };
const queue = new Queue("images", { connection });
const flows = new FlowProducer({ connection });
const now = () => Number(process.hrtime.bigint());

async function order(number, second, images, fails) {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    await client.query("UPDATE account SET credits = credits - $1 WHERE id = $2", [images, 1 + number % 50]);
    await client.query("INSERT INTO outbox (number, images) VALUES ($1, $2)", [number, images]);
    await client.query("COMMIT");
  } finally {
    client.release();
  }
  const job = (number) => ({
    name: fails ? "refused" : "generate", data: { number, images, fails },
    opts: { attempts: fails ? 2 : 1, ...(process.env.APP_OWN_IDS ? { jobId: `order-${number}-of-Jane` } : {}) },
  });
  if (second) {
    const flow = await flows.add({ queueName: "images", ...job(number), children: [{ queueName: "images", ...job(second) }] });
    return [flow.job, flow.children[0].job];
  }
  const { name, data, opts } = job(number);
  return [await queue.add(name, data, opts)];
}

http.createServer(async (request, response) => {
  const begin = now();
  const { searchParams, pathname } = new URL(request.url, "http://x");
  if (pathname !== "/generate") { response.end("ok"); return; }
  const number = +searchParams.get("number");
  const jobs = await order(number, +searchParams.get("second"), +searchParams.get("images"), searchParams.has("fails"));
  response.writeHead(202).end(JSON.stringify({ jobs: jobs.map((job) => job.id) }));
  for (const job of jobs) fs.appendFileSync(process.env.APP_TRUTH, JSON.stringify({ number, job: job.id, begin, end: now() }) + "\n");
}).listen(+process.env.APP_PORT, "127.0.0.1");

// Works on the orders of api.mjs: for each image a call to the provider, a download and a put to S3, one after the other, and statements around them. APP_CONCURRENCY jobs at a time.
// Writes APP_TRUTH, an object a line when a job's function returns: {number, job, attempt, begin, end, calls: [{what, begin, end}]}.
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import { createRequire } from "node:module";

const require = createRequire(process.env.APP_MODULES + "/");
const { Worker } = require("bullmq");
const { Pool } = require("pg");
const { S3Client, PutObjectCommand } = require("@aws-sdk/client-s3");

const pool = new Pool({ connectionString: process.env.APP_POSTGRES, max: 4 });
const s3 = new S3Client({ endpoint: process.env.APP_S3, region: "us-east-1", forcePathStyle: true, credentials: { accessKeyId: "testkey", secretAccessKey: "testsecret" } });
const provider = new URL(process.env.APP_PROVIDER);
const client = provider.protocol === "https:" ? https : http;
const agent = new client.Agent({ keepAlive: true, rejectUnauthorized: false });
const refused = new Set(); // once; what a job says of its attempts differs from version to version
const now = () => Number(process.hrtime.bigint());

const ask = (method, path, body) => new Promise((done, failed) => {
  const request = client.request(new URL(path, provider), { method, agent, headers: body ? { "content-type": "application/json", "content-length": Buffer.byteLength(body) } : {} }, (response) => {
    const parts = [];
    response.on("data", (part) => parts.push(part)).on("end", () => done(Buffer.concat(parts))).on("error", failed);
  });
  request.on("error", failed);
  request.end(body);
});

async function process_(job) {
  const truth = { number: job.data.number, job: job.id, attempt: refused.has(job.id) ? 1 : 0, begin: now(), calls: [] };
  const timed = async (what, call) => {
    const begin = now();
    const result = await call();
    truth.calls.push({ what, begin, end: now() });
    return result;
  };
  try {
    await timed("db", () => pool.query("UPDATE outbox SET state = 'taken' WHERE number = $1", [job.data.number]));
    if (job.data.fails && truth.attempt === 0) {
      refused.add(job.id);
      throw new Error("refused at first");
    }
    for (let index = 0; index < job.data.images; index++) {
      const answer = JSON.parse(await timed("provider", () => ask("POST", "/v3/images", JSON.stringify({ prompt: "a shop", seed: job.data.number * 10 + index }))));
      const picture = await timed("transfer", () => ask("GET", answer.path));
      await timed("transfer", () => s3.send(new PutObjectCommand({ Bucket: "pictures", Key: `jobs/${job.data.number}/${index}.png`, Body: picture, ContentType: "image/png" })));
      await timed("db", () => pool.query("INSERT INTO image (number, place, bytes) VALUES ($1, $2, $3)", [job.data.number, index, picture.length]));
    }
    await timed("db", () => pool.query("UPDATE outbox SET state = 'done' WHERE number = $1", [job.data.number]));
    return { images: job.data.images };
  } finally {
    truth.end = now();
    fs.appendFileSync(process.env.APP_TRUTH, JSON.stringify(truth) + "\n");
  }
}

new Worker("images", process_, { connection: { host: "127.0.0.1", port: +process.env.APP_REDIS, maxRetriesPerRequest: null }, concurrency: +process.env.APP_CONCURRENCY || 1 });
http.createServer((_, response) => response.end("ok")).listen(+process.env.APP_PORT, "127.0.0.1");

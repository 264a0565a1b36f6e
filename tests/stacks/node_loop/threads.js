// worker_threads for app.js, each with a loop and a pool of its own: threads that serve (all listen on one port, SO_REUSEPORT), and threads that are
// given jobs by the one that serves. Truth goes from thread to thread with messages that are sent anyway, or when all is over.
import fs from 'node:fs';
import { Worker, parentPort } from 'node:worker_threads';

const told = (worker, message) => new Promise((resolve) => { worker.once('message', resolve); worker.postMessage(message); });

export async function leadThreads(count, program, truth) {
  const workers = Array.from({ length: count }, () => new Worker(new URL(program)));
  process.on('SIGTERM', async () => {
    const works = (await Promise.all(workers.map((worker) => told(worker, 'finish')))).flat();
    fs.writeFileSync(truth, works.map((work) => JSON.stringify(work) + '\n').join(''));
    process.exit(0);
  });
}

export function onFinish(truth) {
  parentPort.once('message', () => parentPort.postMessage(truth()));
}

// Round robin; a worker has as many at once as it is given.
export class Jobs {
  constructor(count, program) {
    this.waiting = new Map();
    this.given = 0;
    this.workers = Array.from({ length: count }, () => new Worker(new URL(program)));
    this.workers.forEach((worker) => worker.on('message', ({ id, result }) => {
      this.waiting.get(id)(result);
      this.waiting.delete(id);
    }));
  }

  done(job) {
    return new Promise((resolve) => {
      this.given += 1;
      this.waiting.set(this.given, resolve);
      this.workers[this.given % this.workers.length].postMessage({ id: this.given, job });
    });
  }
}

export function doJobs(work) {
  parentPort.on('message', async ({ id, job }) => parentPort.postMessage({ id, result: await work(job) }));
}

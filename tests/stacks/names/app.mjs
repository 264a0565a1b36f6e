// As app.py, in Node: node app.mjs lookup|resolve PORT PROVIDER TRUTH. `lookup` asks getaddrinfo in a thread of the pool, `resolve` asks c-ares on the loop.
import dns from "node:dns";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";

const [kind, port, provider, truth] = [process.argv[2], +process.argv[3], +process.argv[4], process.argv[5]];
const REFUSING = 9;
const now = () => Number(process.hrtime.bigint());

const resolve = (name) => new Promise((done) => {
  if (kind === "lookup") dns.lookup(name, { all: true, family: 4 }, (wrong, found) => done(wrong ? [] : found.map((one) => one.address)));
  else dns.resolve4(name, (wrong, found) => done(wrong ? [] : found));
});
const attempt = (host, to, late) => new Promise((done) => {
  const begin = now();
  const socket = net.connect({ host, port: to });
  const fail = (error) => { socket.destroy(); done({ failed: { to: host, begin, end: now(), error } }); };
  const timer = setTimeout(() => fail("late"), late);
  socket.on("connect", () => { clearTimeout(timer); socket.removeAllListeners("error"); done({ socket }); });
  socket.on("error", (wrong) => { clearTimeout(timer); fail(wrong.code); });
});
async function fetchFrom(name, connects) {
  for (const address of await resolve(name)) {
    const { socket, failed } = await attempt(address, provider, 50);
    if (failed) { connects.push(failed); continue; }
    await new Promise((done) => {
      http.get({ createConnection: () => socket, host: name, port: provider, path: "/" + name }, (response) => response.resume().on("end", done));
    });
    return;
  }
}
http.createServer(async (request, response) => {
  const begin = now();
  const connects = [];
  const [, verb, name] = request.url.split("/");
  if (verb === "look") await resolve(name);
  else {
    if (verb === "refused") {
      const { failed } = await attempt("127.0.0.1", REFUSING, 1000);
      if (failed) connects.push(failed);
    }
    await fetchFrom(name, connects);
  }
  response.end("ok");
  fs.appendFileSync(truth, JSON.stringify({ path: request.url, begin, end: now(), connects }) + "\n");
}).listen(port, "127.0.0.1");

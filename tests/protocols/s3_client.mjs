// Node's client of the S3 test: @aws-sdk/client-s3, and presigned requests by fetch. As s3_client.py; NODE_EXTRA_CA_CERTS names the authority.
//   s3_client.mjs ENDPOINT TRUTH READY        (NODE_PACKAGES: the folder that has node_modules)
import fs from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.NODE_PACKAGES}/package.json`);
const s3 = require('@aws-sdk/client-s3');
const { getSignedUrl } = require('@aws-sdk/s3-request-presigner');

const [endpoint, truth, ready] = process.argv.slice(2);
const rounds = 25, bucket = 'pictures-of-node', calls = [];
const now = () => Number(process.hrtime.bigint());
const client = new s3.S3Client({
  endpoint, region: 'us-east-1', forcePathStyle: true, maxAttempts: 1,
  credentials: { accessKeyId: 'testkey', secretAccessKey: 'testsecret' },
});

async function call(operation, of, run, { status = 200, size = 0, code = null } = {}) {
  const begin = now();
  try {
    return await run();
  } catch (error) {
    if (status < 400) throw error;
  } finally {
    calls.push({ name: `${operation} ${of}`.trim(), begin, end: now(), status, size, code });
  }
}
const send = (operation, input, expected) => call(operation, bucket, async () => {
  const answer = await client.send(new s3[`${operation}Command`]({ Bucket: bucket, ...input }));
  return operation === 'GetObject' ? answer.Body.transformToByteArray() : answer;
}, expected);

async function main() {
  fs.writeFileSync(ready, '');
  while (!fs.existsSync(`${ready}.go`)) await new Promise((resolve) => setTimeout(resolve, 10));
  await send('CreateBucket', {});
  for (let number = 0; number < rounds; number++) {
    const Key = `jobs/${number}/picture.png`, Body = Buffer.alloc(1000 + 7 * number, 'x');
    await send('PutObject', { Key, Body, ContentType: 'image/png' }, { size: Body.length });
    await send('HeadObject', { Key });
    await send('GetObject', { Key }, { size: Body.length });
    await send('GetObject', { Key: 'missing' }, { status: 404, code: 'NoSuchKey' });
    await send('ListObjectsV2', { Prefix: 'jobs/' });
    await send('CopyObject', { Key: `${Key}.copy`, CopySource: `${bucket}/${Key}` });
    await send('DeleteObject', { Key: `${Key}.copy` }, { status: 204 });
    const url = await getSignedUrl(client, new s3.GetObjectCommand({ Bucket: bucket, Key }));
    await call('GetObject', bucket, async () => (await fetch(url)).arrayBuffer(), { size: Body.length });
  }
  const Key = 'film.mp4', Parts = [];
  const { UploadId } = await send('CreateMultipartUpload', { Key });
  for (let PartNumber = 1; PartNumber <= 2; PartNumber++) {
    const Body = Buffer.alloc(PartNumber === 1 ? 5 * 1024 * 1024 : 1000, 'm');
    const { ETag } = await send('UploadPart', { Key, UploadId, PartNumber, Body }, { size: Body.length });
    Parts.push({ PartNumber, ETag });
  }
  await send('CompleteMultipartUpload', { Key, UploadId, MultipartUpload: { Parts } });
  fs.writeFileSync(truth, calls.map((one) => JSON.stringify(one) + '\n').join(''));
  process.exit(0);
}
main();

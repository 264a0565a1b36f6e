"""The client of the S3 test: makes calls by boto3, and presigned ones by httpx, and writes its own account of them.

    s3_client.py ENDPOINT AUTHORITY TRUTH READY

AUTHORITY: the certificate that TLS is checked by; "-" in the clear. Makes READY, waits for READY.go, makes its calls, writes TRUTH: a JSON object a line,
{name, begin, end, status, size, code}, times in ns of CLOCK_MONOTONIC. `name` is S3's operation, a space, and the bucket."""

import json
import pathlib
import sys
import time

ROUNDS = 25
MIB = 1024 * 1024
BIG = 64 * MIB
PART = 5 * MIB


class Account:
    def __init__(self):
        self.calls = []

    def call(self, operation, bucket, function, status=200, size=0, code=None):
        begin = time.monotonic_ns()
        try:
            return function()
        except Exception:
            if code is None and status < 400:
                raise
        finally:
            self.calls.append({"name": f"{operation} {bucket}".strip(), "begin": begin, "end": time.monotonic_ns(), "status": status, "size": size,
                               "code": code})


def objects(client, account, bucket, number):
    key, body = f"jobs/{number}/picture.png", bytes([number % 256]) * (1000 + 7 * number)
    account.call("PutObject", bucket, lambda: client.put_object(Bucket=bucket, Key=key, Body=body, ContentType="image/png"), size=len(body))
    account.call("HeadObject", bucket, lambda: client.head_object(Bucket=bucket, Key=key))
    got = account.call("GetObject", bucket, lambda: client.get_object(Bucket=bucket, Key=key)["Body"].read(), size=len(body))
    assert got == body
    account.call("GetObject", bucket, lambda: client.get_object(Bucket=bucket, Key="missing"), status=404, code="NoSuchKey")
    account.call("HeadObject", bucket, lambda: client.head_object(Bucket=bucket, Key="missing"), status=404)
    account.call("ListObjectsV2", bucket, lambda: client.list_objects_v2(Bucket=bucket, Prefix="jobs/"))
    account.call("CopyObject", bucket,
                 lambda: client.copy_object(Bucket=bucket, Key=key + ".copy", CopySource={"Bucket": bucket, "Key": key}))
    account.call("DeleteObject", bucket, lambda: client.delete_object(Bucket=bucket, Key=key + ".copy"), status=204)


def presigned(client, http, account, bucket, number):
    names = {"Bucket": bucket, "Key": f"signed/{number}"}
    body = b"p" * (2000 + number)
    put = client.generate_presigned_url("put_object", Params=names)
    account.call("PutObject", bucket, lambda: http.put(put, content=body).raise_for_status(), size=len(body))
    get = client.generate_presigned_url("get_object", Params=names)
    assert account.call("GetObject", bucket, lambda: http.get(get), size=len(body)).content == body


def multipart(client, account, bucket, key, parts, complete=True):
    names = {"Bucket": bucket, "Key": key}
    upload = account.call("CreateMultipartUpload", bucket, lambda: client.create_multipart_upload(**names))["UploadId"]
    done = []
    for number in range(1, parts + 1):
        body = b"m" * (PART if number < parts else 1000)
        answer = account.call("UploadPart", bucket, lambda: client.upload_part(**names, UploadId=upload, PartNumber=number, Body=body), size=len(body))
        done.append({"PartNumber": number, "ETag": answer["ETag"]})
    if complete:
        account.call("CompleteMultipartUpload", bucket,
                     lambda: client.complete_multipart_upload(**names, UploadId=upload, MultipartUpload={"Parts": done}))
    else:
        account.call("AbortMultipartUpload", bucket, lambda: client.abort_multipart_upload(**names, UploadId=upload), status=204)


def big(client, account, bucket):
    body = b"b" * BIG
    account.call("PutObject", bucket, lambda: client.put_object(Bucket=bucket, Key="big", Body=body), size=BIG)
    got = account.call("GetObject", bucket, lambda: client.get_object(Bucket=bucket, Key="big")["Body"].read(), size=BIG)
    assert len(got) == BIG


def main(endpoint, authority, truth, ready):
    import boto3
    import botocore.config
    import httpx
    settings = botocore.config.Config(signature_version="s3v4", retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, proxies={})
    verify = None if authority == "-" else authority
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="testkey", aws_secret_access_key="testsecret",
                          config=settings, verify=verify)
    http = httpx.Client(verify=verify or False, trust_env=False, timeout=60)
    pathlib.Path(ready).touch()
    while not pathlib.Path(ready + ".go").exists():
        time.sleep(0.01)
    account, bucket = Account(), "pictures"
    account.call("CreateBucket", bucket, lambda: client.create_bucket(Bucket=bucket))
    account.call("ListBuckets", "", client.list_buckets)
    for number in range(ROUNDS):
        objects(client, account, bucket, number)
        presigned(client, http, account, bucket, number)
    multipart(client, account, bucket, "film.mp4", 3)
    multipart(client, account, bucket, "given-up.mp4", 2, complete=False)
    big(client, account, bucket)
    account.call("DeleteObjects", bucket, lambda: client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "big"}]}))
    pathlib.Path(truth).write_text("".join(json.dumps(call) + "\n" for call in account.calls))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A service that has images made, fetches them and stores them: for each one a call to the provider, a download and a put to S3, one after the other.

    gunicorn images.app:app          (PROVIDER, S3, TRUTH in the environment)

GET /generate/<images>/<number>   makes that many; TRUTH gets a line with what it did, by its own clock
POST /upload                      reads what the client sends
GET /film/<bytes>                 answers that many bytes"""

import json
import os
import threading
import time

import boto3
import botocore.config
import flask
import requests

app = flask.Flask(__name__)
local = threading.local()


def clients():
    if not hasattr(local, "s3"):
        local.http = requests.Session()
        local.http.trust_env = False
        settings = botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"}, proxies={})
        local.s3 = boto3.session.Session().client("s3", endpoint_url=os.environ["S3"], region_name="us-east-1", aws_access_key_id="testkey",
                                                  aws_secret_access_key="testsecret", config=settings)
    return local.http, local.s3


@app.get("/generate/<int:images>/<int:number>")
def generate(images, number):
    http, s3 = clients()
    done = []
    for index in range(images):
        begin = time.monotonic_ns()
        answer = http.post(os.environ["PROVIDER"] + "/v3/images", json={"prompt": "a shop", "seed": number * 10 + index}).json()
        called = time.monotonic_ns()
        picture = http.get(os.environ["PROVIDER"] + answer["path"]).content
        s3.put_object(Bucket="pictures", Key=f"jobs/{number}/{index}.png", Body=picture, ContentType="image/png")
        done.append({"bytes": len(picture), "provider_ns": called - begin, "transfer_ns": time.monotonic_ns() - called})
    with open(os.environ["TRUTH"], "a", encoding="utf-8") as truth:
        truth.write(json.dumps({"path": flask.request.path, "images": done}) + "\n")
    return {"images": images}


@app.post("/upload")
def upload():
    return {"bytes": len(flask.request.get_data())}


@app.get("/film/<int:size>")
def film(size):
    return flask.Response(b"f" * size, mimetype="video/mp4")

"""A subscriber in ten lines of Python (pip install pyzmq); stream/client.py is one that misses nothing."""

import json
import sys

import zmq

socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
socket.connect(sys.argv[1] if len(sys.argv) > 1 else "tcp://127.0.0.1:5577")
socket.subscribe(b"gaitway/1/")  # one camera: gaitway/1/door/
while True:
    event = json.loads(socket.recv_multipart()[2])  # topic, envelope, event
    who = event["identity"] or {}
    print(event["camera"], event["kind"], who.get("name") or who.get("answer", ""), flush=True)

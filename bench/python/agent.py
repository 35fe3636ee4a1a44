"""The agent as one would write it in Python for the purpose: the peer of bench/agent.ts.

watchdog tells when a file is closed or moved in; OpenCV or Pillow decodes, whichever the caller found faster;
onnxruntime scores; sqlite3 records before paho-mqtt publishes with QoS 1; what was not acknowledged is sent again
at the next start. Files that stand there at the start are handled first.

    agent.py decoders IMAGE                              milliseconds of each way to decode, as JSON
    agent.py run DECODER WORKERS BUNDLE FOLDER DATABASE PORT
"""
import json
import os
import queue
import sqlite3
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

cv2.setNumThreads(1)


def opencv(flag):
    def decode(path, width, height):
        pixels = cv2.imread(path, flag)
        if pixels is None:
            raise ValueError("not decoded")
        return cv2.cvtColor(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)

    return decode


def pillow(draft):
    def decode(path, width, height):
        with Image.open(path) as image:
            if draft:  # decodes at 1/2, 1/4 or 1/8, where that is still larger
                image.draft("RGB", (width, height))
            return np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS))

    return decode


DECODERS = {
    "OpenCV": opencv(cv2.IMREAD_COLOR),
    "OpenCV at 1/4": opencv(cv2.IMREAD_REDUCED_COLOR_4),
    "Pillow": pillow(False),
    "Pillow with draft": pillow(True),
}


def time_decoders(path):
    took = {}
    for name, decode in DECODERS.items():
        times = []
        for _ in range(40):
            start = time.perf_counter()
            decode(path, 128, 128)
            times.append(time.perf_counter() - start)
        took[name] = 1000 * sorted(times)[len(times) // 2]
    print(json.dumps(took))


def run(decoder, workers, bundle, folder, database, port):
    import onnxruntime
    from paho.mqtt import client as mqtt
    from watchdog.events import FileSystemEventHandler
    from watchdog.observers import Observer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(bundle, options, providers=["CPUExecutionProvider"])
    manifest = json.loads(session.get_modelmeta().custom_metadata_map["plumbline"])
    spec, threshold = manifest["preprocessing"], manifest["threshold"]["upper"]
    decode = DECODERS[decoder]

    records = sqlite3.connect(database, check_same_thread=False, isolation_level=None)
    records.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "CREATE TABLE IF NOT EXISTS records (seq INTEGER PRIMARY KEY, name TEXT, size INTEGER, modified INTEGER,"
        " payload TEXT, acknowledged INTEGER DEFAULT 0, UNIQUE (name, size, modified));"
    )
    lock = threading.Lock()
    in_flight = {}

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="python-agent")
    client.max_inflight_messages_set(20)

    taken = queue.Queue()

    def send(seq, payload):
        in_flight[client.publish("python/verdict", payload, qos=1).mid] = seq

    def write_down():
        """What came together is written down together. Not in the callback: paho holds its own lock there."""
        while True:
            mids = [taken.get()]
            time.sleep(0.02)
            while not taken.empty():
                mids.append(taken.get())
            with lock:
                records.execute("BEGIN IMMEDIATE")
                for mid in mids:
                    records.execute("UPDATE records SET acknowledged = 1 WHERE seq = ?", (in_flight.pop(mid),))
                records.execute("COMMIT")

    client.on_publish = lambda _client, _data, mid, *_rest: taken.put(mid)
    client.connect("127.0.0.1", port)
    client.loop_start()

    waiting = queue.Queue()

    def handle(path):
        stat = os.stat(path)
        name = os.path.relpath(path, folder)
        version = (name, stat.st_size, stat.st_mtime_ns)
        with lock:
            if records.execute("SELECT 1 FROM records WHERE name = ? AND size = ? AND modified = ?", version).fetchone():
                return
        try:
            pixels = decode(path, spec["width"], spec["height"])
            score = float(session.run(["score"], {"image": pixels[None]})[0][0])
            verdict = {"name": name, "score": score, "verdict": "pass" if score <= threshold else "review"}
        except Exception as error:
            verdict = {"name": name, "verdict": "unscorable", "reason": str(error)}
        payload = json.dumps(verdict)
        with lock:
            insert = "INSERT INTO records (name, size, modified, payload) VALUES (?, ?, ?, ?)"
            seq = records.execute(insert, (*version, payload)).lastrowid
        send(seq, payload)

    def work():
        while True:
            try:
                handle(waiting.get())
            except Exception as error:
                print(error, file=sys.stderr)

    class Events(FileSystemEventHandler):
        def on_closed(self, event):
            waiting.put(event.src_path)

        def on_moved(self, event):
            waiting.put(event.dest_path)

    observer = Observer()
    observer.schedule(Events(), folder, recursive=True)
    observer.start()
    session.run(["score"], {"image": np.zeros((1, spec["height"], spec["width"], 3), np.uint8)})
    threading.Thread(target=write_down, daemon=True).start()
    for _ in range(workers):
        threading.Thread(target=work, daemon=True).start()
    client.publish("python/ready", "{}", qos=1)
    for seq, payload in records.execute("SELECT seq, payload FROM records WHERE acknowledged = 0").fetchall():
        send(seq, payload)
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            waiting.put(str(path))
    threading.Event().wait()


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    if command == "decoders":
        time_decoders(*arguments)
    else:
        decoder, workers, bundle, folder, database, port = arguments
        run(decoder, int(workers), bundle, folder, database, int(port))

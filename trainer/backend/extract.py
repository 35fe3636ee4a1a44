"""Takes files out of downloaded archives: npm tarballs, and the libraries in Python wheels.

Reads a JSON list from standard input: [{"archive": path, "take": "npm" | "tensorflow" | "nvidia", "to": folder}, ...].
Standard library only. Every file lands inside "to", whatever names an archive holds.
"""

import json
import os
import shutil
import sys
import tarfile
import zipfile

HEADERS = (
    "tensorflow/include/tensorflow/c/",
    "tensorflow/include/tensorflow/core/platform/",
    "tensorflow/include/tensorflow/tsl/",
    "tensorflow/include/tsl/",
)


def tensorflow_place(name):
    """The C library, the headers that the addon includes, and the licence texts."""
    if name.startswith("tensorflow/libtensorflow_") and ".so.2" in name:
        return "lib/" + os.path.basename(name)
    if name.startswith(HEADERS) and name.endswith(".h"):
        return "include/" + name[len("tensorflow/include/"):]
    return licence_place(name)


def nvidia_place(name):
    """Shared libraries in the folders where TensorFlow's own run path looks for them."""
    if name.startswith("nvidia/") and "/lib/" in name and ".so" in name:
        return name
    return licence_place(name)


def licence_place(name):
    base = os.path.basename(name)
    if ".dist-info/" in name and base.lower().startswith(("license", "third_party")):
        return "licenses/" + name.split("-")[0] + "-" + base
    if base == "THIRD_PARTY_NOTICES.txt":
        return "licenses/" + base
    return None


def write(source, to, place):
    path = os.path.realpath(os.path.join(to, place))
    if not path.startswith(os.path.realpath(to) + os.sep):
        raise ValueError(f"{place!r} leaves the folder {to!r}")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)


def extract_wheel(archive, to, place_of):
    with zipfile.ZipFile(archive) as wheel:
        for name in wheel.namelist():
            place = place_of(name)
            if place is not None and not name.endswith("/"):
                with wheel.open(name) as source:
                    write(source, to, place)


def extract_npm(archive, to):
    """npm packs a package under one top folder, whatever its name."""
    with tarfile.open(archive, "r:gz") as tarball:
        for member in tarball:
            if member.isfile():
                write(tarball.extractfile(member), to, member.name.split("/", 1)[1])


for job in json.load(sys.stdin):
    if job["take"] == "npm":
        extract_npm(job["archive"], job["to"])
    elif job["take"] == "tensorflow":
        extract_wheel(job["archive"], job["to"], tensorflow_place)
    else:
        extract_wheel(job["archive"], job["to"], nvidia_place)

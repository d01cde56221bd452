"""Files in object stores: addresses, failed requests, and copies that are never half or another artifact's."""

import errno
import hashlib
import json
from pathlib import Path

import pytest

from kerasvision.config.object_stores import checked_address
from kerasvision.errors import ConfigError, StoreError
from kerasvision.pipeline.artifacts import Model
from kerasvision.pipeline.copies import CopyRecord, DamagedCopy, download, read_copy, remove_copy, upload
from kerasvision.pipeline.object_store import ObjectStore

NAMES = {"a.txt": b"one", "deep/er/b.bin": bytes(range(256)), "deep/empty.txt": b"", "two words ü%20.txt": b"x"}


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    address = f"memory://{tmp_path.name}/copies" if request.param == "memory" else f"file://{tmp_path}/copies"
    return ObjectStore(address)


@pytest.fixture
def model(tmp_path):
    """An artifact with the files of NAMES and an empty folder."""
    folder = tmp_path / "model"
    for name, content in NAMES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "assets").mkdir()
    return Model(folder)


def record_of(model):
    return CopyRecord.of(model, about={"type": "Model"})


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("bucket/folder", r"begins with a scheme; received 'bucket/folder'\. Write s3://bucket/folder"),
        ("/mnt/share", r"begins with a scheme; received '/mnt/share'\. Write file:///mnt/share"),
        ("file://share", r"a local address names an absolute folder; received 'file://share'\. Write file:///folder"),
        ("s3://", "names a folder"),
        ("s3://bucket//x", "names a folder"),
        ("file:///srv/../etc", "names a folder"),
        ("s3://bucket/*", r"must not contain '\*'"),
        ("simplecache::s3://bucket/x", "begins with a scheme"),
        ("s3://bucket/a::b", "must not contain '::'"),
    ],
)
def test_an_address_that_cannot_work_is_rejected(address, message):
    with pytest.raises(ConfigError, match=message):
        checked_address(address)


def test_a_password_is_rejected_and_not_repeated():
    with pytest.raises(ConfigError, match="must not contain a password") as caught:
        checked_address("ftp://ann:secret@host/folder")
    assert "secret" not in str(caught.value)
    assert checked_address("abfs://container@account.dfs.core.windows.net/x/") == (
        "abfs://container@account.dfs.core.windows.net/x"
    )


def test_a_missing_package_and_an_unknown_scheme_are_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"s3://b/f requires the package s3fs, .*\[objects\]"):
        ObjectStore("s3://b/f")
    with pytest.raises(ConfigError, match=r"gs://b/f requires the package gcsfs, .*\[objects\]"):
        ObjectStore("gs://b/f")
    with pytest.raises(ConfigError, match="fsspec knows no scheme 's4'"):
        ObjectStore("s4://b/f")


def test_a_passing_error_is_tried_again_and_a_lasting_one_is_not(flaky):
    store = ObjectStore("flaky://bucket/folder")
    flaky.fails.update({1: OSError("reset"), 2: TimeoutError("slow"), 3: RuntimeError("busy")})
    store.write("a", b"1")
    assert [kind for kind, _ in flaky.requests] == ["pipe"] * 4
    flaky.fails[5] = PermissionError("Access Denied")
    with pytest.raises(StoreError, match=r"flaky://bucket/folder/a cannot be written: PermissionError: Access Denied"):
        store.write("a", b"2")
    flaky.fails[6] = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(StoreError, match="No space left"):
        store.read("a")
    assert len(flaky.requests) == 6
    assert store.read("a") == b"1"


def test_missing_keys_are_told_at_once(flaky):
    flaky.fails[1] = type("NoCredentialsError", (Exception,), {})("Unable to locate credentials")
    with pytest.raises(StoreError, match="NoCredentialsError: Unable to locate credentials"):
        ObjectStore("flaky://bucket/folder").read("a")
    assert len(flaky.requests) == 1


def test_an_error_that_stays_names_the_address_and_the_way_out(flaky):
    flaky.fails.update(dict.fromkeys(range(1, 5), ConnectionResetError("Connection reset by peer")))
    with pytest.raises(StoreError) as caught:
        ObjectStore("flaky://bucket/folder").read("a")
    assert str(caught.value) == (
        "flaky://bucket/folder/a cannot be read: ConnectionResetError: Connection reset by peer. Check its bucket, its keys "
        "and the network, then give the same command again: finished stages are kept."
    )
    assert len(flaky.requests) == 4


def test_a_copy_has_the_same_files_and_empty_folders(store, model, tmp_path):
    record = record_of(model)
    upload(model, record, store, name="record.json")
    back = tmp_path / "back"
    back.mkdir()
    download(read_copy(store, "record.json"), store, back)
    assert contents(back) == NAMES
    assert (back / "assets").is_dir()
    assert record.size == sum(map(len, NAMES.values()))


def test_the_digest_of_a_record_is_that_of_its_names_and_digests(model):
    # By hand: names begin with the number of the folder, and the JSON is sorted and has no spaces.
    pairs = sorted((f"0/{name}", hashlib.sha256(content).hexdigest()) for name, content in NAMES.items())
    text = "{" + ",".join(f'"{name}":"{digest}"' for name, digest in pairs) + "}"
    assert record_of(model).digest == hashlib.sha256(text.encode()).hexdigest()


def test_a_second_upload_sends_nothing_and_one_that_was_lost_half_way_sends_the_rest(flaky, model):
    store, record = ObjectStore("flaky://bucket/folder"), record_of(model)
    # The first request reads the record, and each file is one more: the third file fails four times.
    flaky.fails.update(dict.fromkeys(range(4, 8), ConnectionResetError("lost")))
    with pytest.raises(StoreError, match="cannot be written: ConnectionResetError: lost"):
        upload(model, record, store, name="record.json")
    assert read_copy(store, "record.json") is None
    flaky.requests.clear()
    flaky.fails.clear()
    upload(model, record, store, name="record.json")
    assert [kind for kind, _ in flaky.requests] == ["cat", "put", "put", "pipe"]
    assert flaky.requests[-1] == ("pipe", "record.json")
    flaky.requests.clear()
    upload(model, record, store, name="record.json")
    assert flaky.requests == [("cat", "record.json")]


def test_a_download_that_was_lost_goes_on_where_it_stopped(flaky, model, tmp_path):
    store, record, back = ObjectStore("flaky://bucket/folder"), record_of(model), tmp_path / "back"
    upload(model, record, store, name="record.json")
    back.mkdir()
    (back / "of_another.txt").write_text("left by another download")
    flaky.requests.clear()
    flaky.fails.update(dict.fromkeys(range(3, 7), TimeoutError("slow")))
    with pytest.raises(StoreError, match="cannot be read: TimeoutError: slow"):
        download(record, store, back)
    flaky.requests.clear()
    flaky.fails.clear()
    download(record, store, back)
    assert [kind for kind, _ in flaky.requests] == ["get", "get"]
    assert contents(back) == NAMES


def test_a_file_that_is_shorter_than_its_record_says_is_sent_again(store, model, tmp_path):
    record = record_of(model)
    store.write(f"{record.digest}/deep/er/b.bin", b"half")
    upload(model, record, store, name="record.json")
    download(record, store, tmp_path / "back")
    assert (tmp_path / "back" / "deep" / "er" / "b.bin").read_bytes() == bytes(range(256))


@pytest.mark.parametrize("damage", ["changed", "lost"])
def test_a_damaged_file_is_named_and_not_kept(store, model, tmp_path, damage):
    record = record_of(model)
    upload(model, record, store, name="record.json")
    name = f"{record.digest}/a.txt"
    store.write(name, b"two") if damage == "changed" else store.remove(name)
    says = "its file a.txt has other content" if damage == "changed" else "its file a.txt is missing"
    with pytest.raises(DamagedCopy, match=says):
        download(record, store, tmp_path / "back")
    assert not (tmp_path / "back" / "a.txt").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (b"", "it is not the record of a copy"),
        (b'{"files": ', "it is not the record of a copy"),
        (b"[1]", "it is not the record of a copy"),
        ({"digest": "0" * 64}, "its files do not have the digest that it names"),
        ({"files": {"a.txt": [3, "0" * 64]}}, "its files do not have the digest that it names"),
    ],
)
def test_a_record_that_was_changed_is_rejected(store, model, changed, message):
    data = json.loads(record_of(model).to_json())
    store.write("record.json", changed if isinstance(changed, bytes) else json.dumps(data | changed).encode())
    with pytest.raises(DamagedCopy, match=message):
        read_copy(store, "record.json")


@pytest.mark.parametrize("name", ["../a.txt", "/etc/a.txt", "deep/../../a.txt", "./a.txt"])
def test_a_record_cannot_name_a_file_outside_its_folder(name):
    digest = hashlib.sha256(json.dumps({f"0/{name}": "1" * 64}, separators=(",", ":")).encode()).hexdigest()
    data = {"digest": digest, "files": {name: [1, "1" * 64]}, "folders": [], "outside": {}}
    with pytest.raises(DamagedCopy, match="files outside its folder"):
        CopyRecord.from_json(json.dumps(data).encode())


def test_a_removed_copy_leaves_nothing(store, model):
    record = record_of(model)
    upload(model, record, store, name=f"{record.digest}.json")
    remove_copy(f"{store.address}/{record.digest}")
    assert store.sizes("") == {}
    remove_copy(f"{store.address}/{record.digest}")  # there is none: a removal that was killed goes on


def test_a_file_in_the_place_of_the_folder_is_named_at_once():
    with pytest.raises(StoreError, match=r"test_object_store\.py/a/b cannot be written: NotADirectoryError"):
        ObjectStore(f"file://{Path(__file__)}").write("a/b", b"")

"""Bytes on the disk, measured a little at a time."""

import os

from cockpit.services.sizes import AGAIN, Sizes, disk_use


def measured(sizes, runs):
    while not sizes.poll(runs, 0.0) or not sizes.complete or sizes._todo:
        pass
    return sizes.sizes


def test_everything_below_a_folder_counts_and_links_do_not(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "elsewhere").write_bytes(b"x" * 1_000_000)
    (tmp_path / "a" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "a" / "round").symlink_to(tmp_path / "a")
    assert 100_000 <= disk_use(tmp_path / "a") < 200_000


def test_a_finished_run_is_measured_once_and_one_at_work_again(maker):
    finished, working = maker.planned(), maker.planned()
    runs = [(finished.name, False), (working.name, True)]
    sizes = Sizes(maker.root)
    before = dict(measured(sizes, runs))
    for folder in (finished, working):
        stamp = folder.stat()
        (folder / "artifacts").mkdir()
        (folder / "artifacts" / "model").write_bytes(b"x" * 500_000)
        os.utime(folder, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    sizes._checked -= AGAIN
    after = measured(sizes, runs)
    assert after[finished.name] == before[finished.name]
    assert after[working.name] >= before[working.name] + 500_000


def test_a_run_that_vanishes_takes_no_room(maker, tmp_path):
    folder = maker.planned()
    sizes = Sizes(maker.root)
    assert measured(sizes, [(folder.name, False)])
    sizes._checked -= AGAIN
    assert sizes.poll([], 0.0) and sizes.sizes == {}
    assert disk_use(tmp_path / "nowhere") == 0

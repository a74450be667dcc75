"""The use of the machine as drawn text."""

from cockpit.models.series import Series
from cockpit.panes.system import render, summary
from cockpit.render.lines import plain, width
from cockpit.services.system import Machine
from engine.jobs.nvml import Gpu

GPU = Gpu(0, "H100", "", 0.5, float(20 << 30), float(80 << 30), 61.0, 300.0)
MACHINE = Machine(0.25, float(4 << 30), float(16 << 30), 10e9, 100e9, (GPU,))


def test_the_summary_names_the_busiest_gpu_processor_and_memory():
    assert summary(MACHINE) == "GPU 50% 20G  CPU 25%  MEM 4G/16G"
    idle = Gpu(0, "H100", "", 0.1, None, None, None, None)
    assert summary(Machine(gpus=(idle, GPU))) == "GPU of 2 50% 20G"
    assert summary(Machine()) == ""


def test_every_known_figure_has_a_bar():
    rows = plain(render(MACHINE, {}, 70, 9)).splitlines()
    assert "50%" in rows[1] and "H100 61°C 300W" in rows[1]
    assert "25%" in rows[2] and "20G of 80G" in rows[2]
    assert rows[3].startswith("│cpu") and "25%" in rows[3]
    assert "4G of 16G" in rows[4] and "90%" in rows[5] and "9.31G free" in rows[5]


def test_a_machine_without_a_gpu_says_why_and_a_full_disk_is_red():
    lines = render(Machine(disk_free=1.0, disk_total=100.0, gpu_note="no driver"), {}, 70, 6)
    assert "no driver" in plain(lines) and "cpu" in plain(lines) and "--" in plain(lines)
    assert any(style == "bad" for line in lines for _, style in line)


def test_the_history_is_drawn_where_there_is_room():
    series = Series()
    for second in range(60):
        series.append(second, 50.0, float(second))
    low, high = render(MACHINE, {"cpu": series}, 70, 12), render(MACHINE, {"cpu": series}, 70, 20)
    assert "use %" not in plain(low) and "use %" in plain(high)
    assert (len(low), len(high)) == (12, 20) and all(width(line) == 70 for line in [*low, *high])

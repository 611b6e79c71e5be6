"""Memory that a process can have, and refusals of what exceeds it."""

import pytest

from sk_ebm._utils import memory
from sk_ebm._utils.memory import available_memory, check_fits_in_memory


def test_there_is_some():
    assert available_memory() > 2**20


def test_the_limit_of_the_process_counts(monkeypatch):
    resource = pytest.importorskip("resource")
    limit = 2**34  # of addresses, of which this process uses some
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limit, resource.RLIM_INFINITY))
    monkeypatch.setattr(memory, "_left_by_system", lambda: 2**60)
    assert limit - 2**33 < available_memory() < limit - 2**20


def test_a_container_leaves_its_limit_less_what_it_uses(tmp_path, monkeypatch):
    """Files that it read and that nobody uses do not count."""
    monkeypatch.setattr(memory, "_CONTAINER", tmp_path)
    before = available_memory()
    for name, text in {"max": "4000000", "current": "3000000"}.items():
        (tmp_path / f"memory.{name}").write_text(text)
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 500000\n")
    assert available_memory() == 1500000 < before
    (tmp_path / "memory.max").write_text("max")
    assert available_memory() > 1500000


def test_what_does_not_fit_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 2**30)
    check_fits_in_memory(2**30, "They", "Use less.")
    with pytest.raises(ValueError, match=r"They need 1.5 GiB .* 1 GiB are available. Use less."):
        check_fits_in_memory(1.5 * 2**30, "They", "Use less.")


def test_nobody_is_asked_about_little(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 0)
    check_fits_in_memory(2**20, "They", "Use less.")

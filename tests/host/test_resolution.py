"""Which plugins may run together, and in which order: decisions over manifests alone."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from torg.manifest import Consumed, Manifest
from torg.resolution import State, resolve


def manifest(name: str, **facts: object) -> Manifest:
    return Manifest(name=name, package=f"torg_{name}", version="1.0", path=Path(), **facts)


class TestOrder:
    def test_a_plugin_comes_after_what_it_requires(self) -> None:
        manifests = [manifest("alpha", requires={"omega": ""}), manifest("omega")]

        _, order = resolve(manifests, ["alpha", "omega"])

        assert order == ["omega", "alpha"]

    def test_the_order_of_the_setting_does_not_matter(self) -> None:
        manifests = [manifest(name) for name in "dcba"]

        orders = {tuple(resolve(manifests, list(enabled))[1]) for enabled in ("abcd", "dcba")}

        assert orders == {("a", "b", "c", "d")}

    def test_after_orders_without_requiring(self) -> None:
        manifests = [manifest("alpha", after=("omega", "absent")), manifest("omega")]

        plugins, order = resolve(manifests, ["alpha", "omega"])

        assert order == ["omega", "alpha"]
        assert plugins["alpha"].state is State.ACTIVE

    def test_the_provider_of_a_contract_comes_before_its_consumer(self) -> None:
        manifests = [
            manifest("alpha", consumes={"users": Consumed(">=1")}),
            manifest("omega", provides={"users": "1.2"}),
        ]

        assert resolve(manifests, ["alpha", "omega"])[1] == ["omega", "alpha"]

    def test_a_ring_is_blocked_and_names_its_members(self) -> None:
        manifests = [
            manifest("one", after=("two",)),
            manifest("two", after=("one",)),
            manifest("z"),
        ]

        plugins, order = resolve(manifests, ["one", "two", "z"])

        assert plugins["one"].state is State.BLOCKED
        assert "one, two" in plugins["two"].reason
        assert order[0] == "z"

    @given(st.data())
    def test_every_dependency_stands_before_its_dependents(self, data: st.DataObject) -> None:
        names = [f"p{n}" for n in range(data.draw(st.integers(1, 8)))]
        # Edges only from later to earlier names: no ring can arise.
        drawn = {name: data.draw(st.sets(st.sampled_from(names))) for name in names}
        manifests = [
            manifest(name, requires={other: "" for other in drawn[name] if other < name})
            for name in names
        ]

        plugins, order = resolve(data.draw(st.permutations(manifests)), names)

        assert sorted(order) == names
        for name in names:
            for other in plugins[name].manifest.requires:
                assert order.index(other) < order.index(name)


class TestContracts:
    def test_who_lacks_a_service_is_told_which_installed_plugin_provides_it(self) -> None:
        manifests = [
            manifest("alpha", consumes={"users": Consumed(">=1,<2")}),
            manifest("old", provides={"users": "0.9"}),
            manifest("omega", provides={"users": "1.2"}),
        ]

        reason = resolve(manifests, ["alpha", "old"])[0]["alpha"].reason

        assert reason.endswith("which no active plugin provides; enable or mend omega")

    def test_a_service_that_nobody_provides_has_to_be_installed(self) -> None:
        manifests = [manifest("alpha", consumes={"users": Consumed(">=1,<2")})]

        reason = resolve(manifests, ["alpha"])[0]["alpha"].reason

        assert reason.endswith("which no active plugin provides; install a plugin that does")


class TestRefusals:
    def test_what_is_not_enabled_is_disabled(self) -> None:
        plugins, order = resolve([manifest("alpha")], [])

        assert plugins["alpha"].state is State.DISABLED
        assert order == []

    def test_an_enabled_plugin_that_is_not_installed_is_named_with_the_nearest(self) -> None:
        plugins, _ = resolve([manifest("auction")], ["auctoin"])

        assert plugins["auctoin"].state is State.MISSING
        assert "did you mean 'auction'?" in plugins["auctoin"].reason

    def test_a_plugin_for_other_hooks_is_incompatible(self) -> None:
        plugins, _ = resolve([manifest("alpha", api=">=2")], ["alpha"], api="1.0")

        assert plugins["alpha"].state is State.INCOMPATIBLE

    def test_a_missing_requirement_blocks_and_what_needs_the_blocked_one_too(self) -> None:
        manifests = [manifest("a", requires={"b": ""}), manifest("b", requires={"gone": ""})]

        plugins, _ = resolve(manifests, ["a", "b"])

        assert plugins["b"].state is State.BLOCKED
        assert "gone" in plugins["b"].reason
        assert plugins["a"].state is State.BLOCKED

    def test_a_requirement_of_another_version_blocks(self) -> None:
        manifests = [manifest("a", requires={"b": ">=2"}), manifest("b")]

        plugins, _ = resolve(manifests, ["a", "b"])

        assert "installed is 1.0" in plugins["a"].reason

    def test_conflicting_plugins_do_not_run_together(self) -> None:
        manifests = [manifest("a", conflicts=("b",)), manifest("b")]

        plugins, _ = resolve(manifests, ["a", "b"])

        assert plugins["a"].state is State.BLOCKED
        assert plugins["b"].state is State.ACTIVE

    def test_a_contract_that_nobody_provides_blocks(self) -> None:
        plugins, _ = resolve([manifest("a", consumes={"ledger": Consumed(">=1")})], ["a"])

        assert "ledger" in plugins["a"].reason

    def test_an_optional_contract_may_be_absent(self) -> None:
        optional = {"ledger": Consumed(">=1", optional=True)}

        plugins, _ = resolve([manifest("a", consumes=optional)], ["a"])

        assert plugins["a"].state is State.ACTIVE

    def test_a_wrong_manifest_is_quarantined_with_its_problem(self) -> None:
        plugins, _ = resolve([manifest("a", problem="title is missing")], ["a"])

        assert plugins["a"].state is State.QUARANTINED
        assert plugins["a"].reason == "title is missing"

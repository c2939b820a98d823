"""The state of a job over HTTP and at the terminal: for its owner, for admins, for nobody else."""

import json

import pytest
from click.testing import CliRunner

from torg import db, deployment, job_commands, jobs, outbox, storage
from torg.jobs import Job


@pytest.fixture
def app(make_app):
    return make_app([])


@pytest.fixture
def owner(people):
    return people.add("olga")


@pytest.fixture
def put(app, owner):
    """Puts a job of the owner's in; the handler is the test's."""

    def putting(handler, payload=None):
        jobs.withdraw(app, "trial")
        known = app.extensions[jobs.EXTENSION]
        known["host.trial"] = Job("host.trial", handler, max_attempts=1)
        with db.unit_of_work("write", app):
            return outbox.enqueue("host.trial", payload, identity_id=owner.id)

    return putting


class TestGetJob:
    def test_the_owner_sees_how_far_it_is(self, client, owner, put) -> None:
        job_id = put(lambda _payload, _run: None)

        answer = client.get(f"/api/v1/jobs/{job_id}", headers=owner.headers)

        assert answer.status_code == 200
        body = answer.get_json()
        assert (body["state"], body["job"], body["progress"]) == ("queued", "host.trial", None)
        assert body["created_at"].endswith("Z")

    def test_progress_and_result_are_shown_when_it_is_done(
        self, client, owner, put, run_jobs
    ) -> None:
        def work(_payload, run):
            run.progress(3, 3)
            return {"rows": 3}

        job_id = put(work)
        run_jobs()

        body = client.get(f"/api/v1/jobs/{job_id}", headers=owner.headers).get_json()
        assert body["state"] == "done"
        assert body["progress"] == {"done": 3, "total": 3}
        assert body["result"] == {"rows": 3}
        assert body["finished_at"] is not None

    def test_a_file_that_the_job_made_is_a_signed_link(self, client, owner, put, run_jobs) -> None:
        job_id = put(
            lambda _payload, _run: {"file": storage.put(b"a,b", "text/csv", "host"), "rows": 1}
        )
        run_jobs()

        body = client.get(f"/api/v1/jobs/{job_id}", headers=owner.headers).get_json()
        assert body["result"] == {"rows": 1}
        assert "signature=" in body["result_url"]
        path = "/" + body["result_url"].split("://", 1)[1].partition("/")[2]
        assert client.get(path).data == b"a,b"

    def test_others_are_told_that_there_is_none(self, client, people, put) -> None:
        job_id = put(lambda _payload, _run: None)

        answer = client.get(f"/api/v1/jobs/{job_id}", headers=people.add("eve").headers)

        assert answer.status_code == 404
        assert answer.get_json()["code"] == "job_not_found"

    def test_nobody_without_signing_in(self, client, put) -> None:
        assert client.get(f"/api/v1/jobs/{put(print)}").status_code == 401

    def test_who_may_see_every_job_also_sees_the_error(
        self, client, people, owner, put, run_jobs
    ) -> None:
        def work(_payload, _run):
            raise RuntimeError("no room")

        job_id = put(work)
        run_jobs()

        admin = people.add("ada", permissions=["host.job.read"])
        seen = client.get(f"/api/v1/jobs/{job_id}", headers=admin.headers).get_json()
        assert seen["state"] == "dead"
        assert seen["error"].endswith("no room")
        own = client.get(f"/api/v1/jobs/{job_id}", headers=owner.headers).get_json()
        assert own["error"] is None

    def test_reading_costs_few_statements(self, client, owner, put, count_queries) -> None:
        job_id = put(lambda _payload, _run: None)
        client.get(f"/api/v1/jobs/{job_id}", headers=owner.headers)

        with count_queries() as count:
            client.get(f"/api/v1/jobs/{job_id}", headers=owner.headers)

        assert count.total <= 2, count.statements


class TestCommands:
    @pytest.fixture
    def torg(self, app, monkeypatch):
        """Runs `torg jobs …` on the test's application."""
        monkeypatch.setattr(deployment, "application", lambda *_arguments: app)

        def running(*words: str):
            return CliRunner().invoke(job_commands.jobs, list(words), catch_exceptions=True)

        return running

    def dead(self, put, run_jobs) -> int:
        def work(_payload, _run):
            raise RuntimeError("no room")

        job_id = put(work)
        run_jobs()
        return job_id

    def test_list_and_show_for_a_machine(self, torg, put, run_jobs) -> None:
        job_id = self.dead(put, run_jobs)

        [listed] = json.loads(torg("list", "--state", "dead", "--json").stdout)
        shown = json.loads(torg("show", str(job_id), "--json").stdout)

        assert listed["id"] == shown["id"] == job_id
        assert shown["last_error"].endswith("no room")

    def test_list_and_show_for_a_person(self, torg, put, run_jobs) -> None:
        job_id = self.dead(put, run_jobs)

        listed = torg("list")
        assert f"{job_id}  host.trial  dead" in listed.stdout
        assert "host: 1 dead" in listed.stderr
        assert "no room" in torg("show", str(job_id)).stdout

    def test_retry_and_run_bring_a_dead_job_to_life(self, app, torg, put, run_jobs) -> None:
        job_id = self.dead(put, run_jobs)
        app.extensions[jobs.EXTENSION]["host.trial"] = Job("host.trial", lambda *_: None)

        assert torg("retry", str(job_id)).stdout.split() == [str(job_id)]
        assert json.loads(torg("run", "--json").stdout) == {"ran": 1}

        assert json.loads(torg("show", str(job_id), "--json").stdout)["state"] == "done"

    def test_what_cannot_be_retried_is_named_with_the_next_step(self, torg, put) -> None:
        job_id = put(print)

        result = torg("retry", str(job_id))

        assert f"not dead, so not retried: {job_id}" in str(result.exception)
        assert "torg jobs list --state dead" in str(result.exception)

    def test_nothing_to_retry_is_said_and_is_no_empty_line(self, torg) -> None:
        for words in (("--all",), ("--job", "host.trail")):
            result = torg("retry", *words)

            assert (result.exit_code, result.stdout) == (0, "")
            assert result.stderr == "No job was dead, so none is tried again.\n"

    def test_an_unknown_job_is_an_error_with_the_next_step(self, torg) -> None:
        result = torg("show", "999")

        assert "there is no job 999" in str(result.exception)

    @pytest.mark.parametrize("words", [("retry",), ("retry", "1", "--all")])
    def test_retry_asks_for_exactly_one_choice(self, torg, words: tuple[str, ...]) -> None:
        assert torg(*words).exit_code == 2


def test_a_202_says_where_the_job_can_be_read() -> None:
    from torg import job_routes

    assert job_routes.location(7) == {"Location": "/api/v1/jobs/7"}

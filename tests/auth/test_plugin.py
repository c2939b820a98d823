"""What the host sees of the plugin: tables, documents, demo."""

from typing import Any

from openapi_spec_validator import validate

from torg import demo, migrate, openapi
from torg.db import db as database
from torg_auth import plugin


def test_models_and_migrations_agree(app: Any) -> None:
    result = migrate.check(app, ["auth"])
    assert not result.drift.get("auth"), result.drift


def test_the_migrations_can_be_taken_back_and_applied_again(app: Any, sql: Any) -> None:
    def tables() -> list[str]:
        rows = sql("SELECT tablename FROM pg_tables WHERE tablename LIKE 'auth%' ORDER BY 1")
        return [row[0] for row in rows]

    before = tables()
    assert len(before) == len(plugin.torg_models())
    with app.app_context():
        engine = database.engine
    migrate.downgrade(engine, migrate.streams_of(app), {"auth": "base"})
    assert tables() == []
    assert sql("SELECT count(*) FROM pg_proc WHERE proname LIKE 'auth%'") == [(0,)]
    migrate.upgrade(app)
    assert tables() == before


def test_after_a_renewed_upgrade_accounts_work_again(app: Any, api: Any) -> None:
    with app.app_context():
        engine = database.engine
    migrate.downgrade(engine, migrate.streams_of(app), {"auth": "base"})
    migrate.upgrade(app)
    assert api.register("anna").status_code == 201
    assert api.get("/me", token=api.token("anna")).get_json()["roles"] == ["user"]


def test_the_api_document_is_valid_and_keeps_the_rules(app: Any) -> None:
    validate(openapi.document(app, "auth"))
    assert openapi.check(app, "auth") == []


def test_the_demo_has_people_to_sign_in_as(app: Any, api: Any, sql: Any) -> None:
    filled = demo.fill(app, "http://127.0.0.1:8000")
    assert filled.failures == {}
    assert [each.username for each in filled.logins] == ["admin", "seller", "buyer"]
    for name in ("admin", "seller", "buyer", "olga"):
        token = api.log_in(name, demo.PASSWORD).get_json()["token"]
        assert api.get("/me", token=token).get_json()["email_verified"] is True
    admin = api.log_in("admin", demo.PASSWORD).get_json()["token"]
    assert api.get("/admin/users", token=admin).status_code == 200
    [(people,)] = sql("SELECT count(*) FROM auth_user")
    assert people >= 23
    assert demo.fill(app, "http://127.0.0.1:8000").fresh == ()

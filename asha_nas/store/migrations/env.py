"""Runs the migrations over the connection that ``asha_nas.store.database`` hands in."""

from alembic import context

from asha_nas.store.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()

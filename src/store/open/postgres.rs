//! PostgreSQL: one database that many boxes may share.

use secrecy::{ExposeSecret, SecretString};
use sqlx::any::AnyConnectOptions;
use sqlx::pool::PoolOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use super::{Pools, acquire_timeout, from_migration, pool_with};
use crate::store::dialect::Dialect;
use crate::store::migrations::{MIGRATIONS, migrator};
use crate::store::{Config, Db, Error};

/// The first version with everything that the statements use.
const VERSION_MIN: i32 = 150_000;

pub(super) async fn open(config: &Config, url: &SecretString) -> Result<Pools, Error> {
    let url = url.expose_secret();
    migrate(config, url).await?;
    let address: AnyConnectOptions = url.parse()?;
    let writer = pool(config, config.write_connections.max(2), false).connect_with(address.clone()).await?;
    let readers = pool(config, config.read_connections.max(1), true).connect_with(address).await?;
    Ok(Pools { writer, readers })
}

/// Brings the tables up to date over a connection of its own, which tells what is wrong with the server.
async fn migrate(config: &Config, url: &str) -> Result<(), Error> {
    let options: PgConnectOptions = url.parse()?;
    let connecting = tokio::time::timeout(acquire_timeout(config), options.connect());
    let mut connection =
        connecting.await.map_err(|_| Error::Unreachable("no answer to a connection".into()))??;
    let version: i32 = sqlx::query_scalar("SELECT CAST(current_setting('server_version_num') AS INTEGER)")
        .fetch_one(&mut connection)
        .await?;
    if version < VERSION_MIN {
        return Err(Error::Schema(format!(
            "the PostgreSQL server has version {}, at least 15 is needed",
            version / 10_000
        )));
    }
    // "Already exists, skipping" is no news to whoever reads the log.
    connection.execute("SET client_min_messages = warning").await?;
    let done = migrator(Dialect::Postgres, MIGRATIONS.len()).run(&mut connection).await;
    connection.close().await?;
    done.map_err(from_migration)
}

fn pool(config: &Config, connections: u32, read_only: bool) -> PoolOptions<Db> {
    let (busy, frozen) = (config.busy_timeout_ms.max(1), config.frozen_timeout_ms);
    // An answer to Procore is a promise: a server whose administrator traded durability for speed keeps it
    // for this service all the same.
    let settings = format!(
        "SET application_name = 'punchlens'; SET lock_timeout = {busy};
         SET idle_in_transaction_session_timeout = {frozen};
         SET default_transaction_read_only = {};
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
        if read_only { "on" } else { "off" }
    );
    pool_with(settings).max_connections(connections).acquire_timeout(acquire_timeout(config))
}

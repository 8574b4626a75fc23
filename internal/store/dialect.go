package store

// dialect holds what the two databases say differently. Each field is a piece
// of SQL text, or makes one around a placeholder.
type dialect struct {
	// name is "sqlite" or "postgres".
	name string
	// forUpdate and forShare lock the selected rows where rows can be locked.
	// SQLite has one writer, which needs neither.
	forUpdate, forShare string
	// forKeyShare lets others change the row or lock it forNoKeyUpdate, but not
	// forUpdate.
	forKeyShare, forNoKeyUpdate string
	// skipLocked is forUpdate that passes over rows others have locked.
	skipLocked string
	// skip has another lock pass over them.
	skip string
	// now is the database's clock in microseconds. It moves on within a
	// transaction.
	now string
	// list makes rows of one text column from a JSON array of strings.
	list func(param string) string
	// ids makes rows of one integer column from a JSON array of integers.
	ids func(param string) string
	// among says that a column holds one of the integers of a JSON array. Unlike a
	// condition with ids it is taken for rare, so that an index on the column is used.
	among func(column, param string) string
	// pairs makes a table u(id, at) from a JSON array of [id, at] pairs of
	// integers.
	pairs func(param string) string
	// of restricts a lock to one table of a join.
	of func(lock, table string) string
	// lockNamed takes a lock for the rest of the transaction by the number $1;
	// empty where a transaction excludes all others anyway.
	lockNamed string
	// hasTable counts the tables called $1.
	hasTable string
	// migrations is the directory of the database's migrations.
	migrations string
}

func sqliteDialect() dialect {
	return dialect{
		name:       "sqlite",
		now:        "cast(unixepoch('subsec') * 1000000 as integer)",
		list:       func(p string) string { return "select value from json_each(" + p + ")" },
		ids:        func(p string) string { return "select value from json_each(" + p + ")" },
		among:      func(column, p string) string { return column + " in (select value from json_each(" + p + "))" },
		of:         func(string, string) string { return "" },
		hasTable:   "select count(*) from sqlite_master where type = 'table' and name = $1",
		migrations: "migrations/sqlite",
		pairs: func(p string) string {
			return "(select json_extract(value, '$[0]') as id, json_extract(value, '$[1]') as at from json_each(" + p + ")) as u"
		},
	}
}

func postgresDialect() dialect {
	return dialect{
		name:        "postgres",
		forUpdate:   " for update",
		forShare:    " for share",
		forKeyShare: " for key share", forNoKeyUpdate: " for no key update",
		skipLocked: " for update skip locked",
		skip:       " skip locked",
		now:        "cast(extract(epoch from clock_timestamp()) * 1000000 as bigint)",
		list:       func(p string) string { return "select jsonb_array_elements_text(cast(" + p + " as jsonb))" },
		ids: func(p string) string {
			return "select cast(e as bigint) from jsonb_array_elements_text(cast(" + p + " as jsonb)) as e"
		},
		among: func(column, p string) string {
			return column + anyOfList + "select cast(e as bigint) from jsonb_array_elements_text(cast(" + p + " as jsonb)) as e))"
		},
		of: func(lock, table string) string { return lock + " of " + table },
		// The second half keeps schemas of one database apart. Of a process that
		// vanishes the network may tell after hours, and of one that is stopped nobody
		// does: others wait for less time than for what it had claimed.
		lockNamed: "select pg_advisory_xact_lock(cast($1 as integer), hashtext(current_schema())), " +
			"set_config('idle_in_transaction_session_timeout', '10s', true)",
		hasTable:   "select count(*) from pg_class where oid = to_regclass(cast($1 as text))",
		migrations: "migrations/postgres",
		pairs: func(p string) string {
			return "(select cast(e ->> 0 as bigint) as id, cast(e ->> 1 as bigint) as at from jsonb_array_elements(cast(" + p + " as jsonb)) as e) as u"
		},
	}
}

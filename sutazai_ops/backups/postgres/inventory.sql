-- What a database holds beside rows, one line a fact: (section, name, value). See inventory.py for what is left out.
WITH own_schema AS (
    SELECT oid, nspname FROM pg_catalog.pg_namespace
    WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\_%'
), member AS (
    SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e'
), own_class AS (
    SELECT c.oid, c.relname, c.relkind, c.relispartition, s.nspname,
           quote_ident(s.nspname) || '.' || quote_ident(c.relname) AS name
    FROM pg_catalog.pg_class c JOIN own_schema s ON s.oid = c.relnamespace
    WHERE c.relpersistence <> 't'
      AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_catalog.pg_class'::regclass AND m.objid = c.oid)
), own_function AS (
    SELECT p.oid FROM pg_catalog.pg_proc p JOIN own_schema s ON s.oid = p.pronamespace
    WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_catalog.pg_proc'::regclass AND m.objid = p.oid)
), own_type AS (
    SELECT t.oid FROM pg_catalog.pg_type t JOIN own_schema s ON s.oid = t.typnamespace
    WHERE t.typtype IN ('e', 'd', 'r')
      AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_catalog.pg_type'::regclass AND m.objid = t.oid)
)
SELECT 'constraints', c.name || '.' || quote_ident(k.conname), k.convalidated::text
FROM pg_catalog.pg_constraint k JOIN own_class c ON c.oid = k.conrelid
WHERE k.conparentid = 0 AND k.conislocal
UNION ALL
SELECT 'indexes', c.name, i.indisvalid::text
FROM pg_catalog.pg_index i JOIN own_class c ON c.oid = i.indexrelid WHERE NOT c.relispartition
UNION ALL
SELECT 'extensions', extname, extversion FROM pg_catalog.pg_extension
UNION ALL
SELECT 'objects', k.what, count(c.oid)::text
FROM (VALUES ('S', 'sequences'), ('v', 'views'), ('m', 'materialized views'), ('p', 'partitioned tables')) k (kind, what)
LEFT JOIN own_class c ON c.relkind = k.kind::"char" GROUP BY k.what
UNION ALL
SELECT 'objects', 'functions', count(*)::text FROM own_function
UNION ALL
SELECT 'objects', 'types', count(*)::text FROM own_type
UNION ALL
SELECT 'objects', 'triggers', count(*)::text
FROM pg_catalog.pg_trigger t JOIN own_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal AND t.tgparentid = 0
UNION ALL
SELECT 'objects', 'policies', count(*)::text FROM pg_catalog.pg_policy
UNION ALL
SELECT 'objects', 'large objects', count(*)::text FROM pg_catalog.pg_largeobject_metadata

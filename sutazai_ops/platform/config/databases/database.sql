-- Makes the role `owner` and its database `name`, unless they are there. The password is set every time, so that one
-- that was changed in its file is changed here too.
\set file /run/secrets/ :owner -database-password
\set password `cat :'file'`

SELECT format('CREATE ROLE %I LOGIN', :'owner')
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'owner') \gexec

ALTER ROLE :"owner" PASSWORD :'password';

SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'owner')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec

-- Everybody who may log in may otherwise look into every database.
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;

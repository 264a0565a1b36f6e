CREATE TABLE account (id integer PRIMARY KEY, credits integer NOT NULL);
INSERT INTO account SELECT n, 1000000 FROM generate_series(1, 50) AS n;
CREATE TABLE outbox (number integer PRIMARY KEY, images integer NOT NULL, state text NOT NULL DEFAULT 'new');
CREATE TABLE image (number integer NOT NULL, place integer NOT NULL, bytes integer NOT NULL);

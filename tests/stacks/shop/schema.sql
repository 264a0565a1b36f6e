-- What the shop's routes read; ids 1…1000 as the load asks for them.
CREATE TABLE product (id int PRIMARY KEY, name text NOT NULL, price numeric NOT NULL, description text NOT NULL);
CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL, email text NOT NULL);
CREATE TABLE purchase (id serial PRIMARY KEY, customer_id int NOT NULL, placed timestamptz NOT NULL DEFAULT now(), note text);
CREATE TABLE purchase_line (id serial PRIMARY KEY, purchase_id int NOT NULL, product_id int NOT NULL, quantity int NOT NULL);
INSERT INTO product SELECT n, 'product ' || n, n * 1.5, repeat('a good thing ', 8) FROM generate_series(1, 2000) n;
INSERT INTO customer SELECT n, 'customer ' || n, 'c' || n || '@shop.test' FROM generate_series(1, 1000) n;
INSERT INTO purchase (customer_id) SELECT 1 + n % 1000 FROM generate_series(1, 5000) n;
INSERT INTO purchase_line (purchase_id, product_id, quantity)
  SELECT 1 + n % 5000, 1 + n % 2000, 1 + n % 3 FROM generate_series(1, 20000) n;
CREATE INDEX ON purchase (customer_id);
CREATE INDEX ON purchase_line (purchase_id);
ANALYZE;

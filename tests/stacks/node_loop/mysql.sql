-- The tables of the shop that this service reads; see shop/schema.sql.
CREATE DATABASE shop;
USE shop;
CREATE TABLE product (id int PRIMARY KEY, name text NOT NULL, price numeric NOT NULL);
CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL, email text NOT NULL);
CREATE TABLE purchase (id int PRIMARY KEY, customer_id int NOT NULL, placed timestamp NOT NULL DEFAULT now(), KEY (customer_id));
CREATE TABLE purchase_line (id int PRIMARY KEY, purchase_id int NOT NULL, product_id int NOT NULL, quantity int NOT NULL);
INSERT INTO product SELECT seq, concat('product ', seq), seq * 1.5 FROM seq_1_to_2000;
INSERT INTO customer SELECT seq, concat('customer ', seq), concat('c', seq, '@shop.test') FROM seq_1_to_1000;
INSERT INTO purchase (id, customer_id) SELECT seq, 1 + seq % 1000 FROM seq_1_to_5000;
INSERT INTO purchase_line SELECT seq, 1 + seq % 5000, 1 + seq % 2000, 1 + seq % 3 FROM seq_1_to_20000;

"""What a request does, for every kind of service alike: statements of several shapes, with a commit, and one that fails."""

SCHEMA = """
    PRAGMA journal_mode = WAL;
    CREATE TABLE item (id INTEGER PRIMARY KEY, title TEXT NOT NULL, size INTEGER NOT NULL);
    CREATE TABLE seen (item_id INTEGER NOT NULL, request INTEGER NOT NULL UNIQUE);
    INSERT INTO item WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT i, 'item ' || i, i * 7 FROM n;
"""

ONE = "SELECT title, size FROM item WHERE id = ? AND ? > 0"
SOME = "SELECT i.id, s.item_id FROM item i LEFT JOIN seen s ON s.request = i.id WHERE i.size > ? AND ? > 0 ORDER BY i.size LIMIT 20"
SORTED = "SELECT title FROM item WHERE ? > 0 ORDER BY title DESC LIMIT 3"
WRITE = "INSERT INTO seen(item_id, request) VALUES (?, ?)"


def statements(number):
    """Of request `number`: (sql, parameters, whether it is to fail)."""
    chosen = [(ONE, (number % 3000 + 1, number)), (SOME, (number % 1000, number))]
    if number % 3 == 0:
        chosen.append((SORTED, (number,)))
    if number % 2 == 0:
        chosen.append((WRITE, (number % 50, number)))
    if number % 10 == 0:
        chosen.append((WRITE, (number % 50, number)))  # not unique
    return chosen

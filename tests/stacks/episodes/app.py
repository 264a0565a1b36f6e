"""Episodes and how far somebody has listened: FastAPI on uvicorn with SQLite in the process, one connection. Configured by EPISODES_FILE."""

import os
import sqlite3

import fastapi

app = fastapi.FastAPI()
database = sqlite3.connect(os.environ["EPISODES_FILE"], check_same_thread=False)
database.executescript("""
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS episode (id INTEGER PRIMARY KEY, title TEXT NOT NULL, seconds INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS state (episode_id INTEGER PRIMARY KEY, position INTEGER NOT NULL);
""")
if not database.execute("SELECT 1 FROM episode").fetchone():
    database.executemany("INSERT INTO episode VALUES (?, ?, ?)", [(n, f"episode {n}", 600 + n) for n in range(1, 2001)])
    database.commit()


@app.get("/health")
async def health():
    return {"ok": True}


@app.get("/episodes")
async def episodes():
    return database.execute("SELECT id, title FROM episode ORDER BY seconds DESC LIMIT 200").fetchall()


@app.get("/episode/{number}/state")
async def state(number: int):
    found = database.execute("SELECT e.title, s.position FROM episode e LEFT JOIN state s ON s.episode_id = e.id WHERE e.id = ?", (number,)).fetchone()
    return {"title": found[0], "position": found[1] or 0}


@app.put("/episode/{number}/state")
async def save(number: int, request: fastapi.Request):
    body = await request.body()
    database.execute("INSERT INTO state VALUES (?, ?) ON CONFLICT (episode_id) DO UPDATE SET position = excluded.position", (number, len(body)))
    database.commit()
    return {"position": len(body)}

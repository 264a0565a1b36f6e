/* A program with a copy of SQLite linked into it: executes statements in every way that the C interface has and notes each, as
 * noted.py does. linked DATABASE NOTES GO: begins when the file GO is there. */
#include <sqlite3.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static FILE* notes;

static long long now(void) {
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static void note(const char* sql, long long begin, long long end, int rows, const char* error) {
    fprintf(notes, "{\"sql\": \"%s\", \"owner\": 1, \"begin\": %lld, \"end\": %lld, \"rows\": %d, \"error\": %s%s%s}\n", sql,
            begin, end, rows, error ? "\"" : "", error ? error : "null", error ? "\"" : "");
}

/* Takes at most `most` rows, then resets. */
static void execute(sqlite3_stmt* statement, const char* sql, int value, int most) {
    long long begin = now(), end;
    int rows = 0, result;

    sqlite3_bind_int(statement, 1, value);
    do {
        result = sqlite3_step(statement);
        end = now();
        rows += result == SQLITE_ROW;
    } while (result == SQLITE_ROW && rows < most);
    sqlite3_reset(statement);
    note(sql, begin, end, rows, (result & 0xff) == SQLITE_CONSTRAINT ? "SQLITE_CONSTRAINT" : NULL);
}

int main(int count, char** arguments) {
    static const char* const one = "SELECT title FROM item WHERE id = ?";
    static const char* const all = "SELECT id FROM item WHERE id > ?";
    static const char* const write = "INSERT INTO seen VALUES (?, 7)";
    static const char* const once = "SELECT 'a', count(*) FROM item WHERE id < 3";
    sqlite3* database;
    sqlite3_stmt* statements[3];
    const char* tail;

    if (count != 4)
        return 2;
    while (access(arguments[3], F_OK)) usleep(10000);
    notes = fopen(arguments[2], "w");
    if (!notes || sqlite3_open(arguments[1], &database))
        return 1;
    sqlite3_prepare_v2(database, one, -1, &statements[0], NULL);
    sqlite3_prepare_v3(database, all, -1, SQLITE_PREPARE_PERSISTENT, &statements[1], NULL);
    sqlite3_prepare_v2(database, write, -1, &statements[2], NULL);
    for (int i = 0; i < 500; i++) {
        long long begin;
        sqlite3_stmt* other;
        int rows;

        execute(statements[0], one, i, 10);
        execute(statements[1], all, 0, i % 100 ? 3 : 1000000); /* mostly given up with rows left */
        if (i % 10 == 0)
            execute(statements[2], write, i, 1); /* the second one is not unique */
        /* Prepared for this time, from a text that goes on with another statement, and never reset. */
        sqlite3_prepare_v2(database, "SELECT 'a', count(*) FROM item WHERE id < 3; DROP TABLE item", -1, &other, &tail);
        begin = now();
        rows = sqlite3_step(other) == SQLITE_ROW;
        note(once, begin, now(), rows, NULL);
        sqlite3_finalize(other);
    }
    for (int i = 0; i < 3; i++) sqlite3_finalize(statements[i]);
    sqlite3_close(database);
    return fclose(notes);
}

import io.vertx.core.AbstractVerticle;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.pgclient.PgConnectOptions;
import io.vertx.pgclient.PgConnection;
import io.vertx.sqlclient.Pool;
import io.vertx.sqlclient.PoolOptions;
import io.vertx.sqlclient.Row;
import io.vertx.sqlclient.SqlConnection;
import io.vertx.sqlclient.Tuple;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Requests that share one Vert.x event loop and a pool of connections, with the service's own account of who sent what: node_loop/app.js in Java, on a runtime of
 * which timesink knows nothing.
 *
 * Arguments: port, PostgreSQL's port, connections, prepared statements (cached, text), file for the truth (written at the end). The account is handed
 * through every call; a use of a connection is noted from when it was had to the callback of its reply, before it is given back.
 */
public class Loop extends AbstractVerticle {
    private static final String LINE = "SELECT product_id, quantity FROM purchase_line WHERE id = $1";
    private static final String CUSTOMER = "SELECT name, email FROM customer WHERE id = $1";
    private static final String PURCHASE = "SELECT id, placed FROM purchase WHERE customer_id = $1 LIMIT 5";
    private static final String PRODUCT = "SELECT price::float FROM product WHERE id = $1";

    private record Call(int port, long begin, long end) {
    }

    private static final class Work {
        final String path;
        final String address;
        final int port;
        final long begin = System.nanoTime();
        final List<Call> calls = new ArrayList<>();
        long end;

        Work(HttpServerRequest request) {
            path = request.path();
            address = request.remoteAddress().host();
            port = request.remoteAddress().port();
        }

        String json() {
            StringBuilder text = new StringBuilder("{\"path\":\"" + path + "\",\"client\":[\"" + address + "\"," + port + "],\"begin\":" + begin + ",\"end\":" + end + ",\"calls\":[");
            for (int i = 0; i < calls.size(); ++i) {
                Call call = calls.get(i);
                text.append(i > 0 ? "," : "").append("{\"kind\":\"statement\",\"port\":").append(call.port).append(",\"begin\":").append(call.begin)
                    .append(",\"end\":").append(call.end).append("}");
            }
            return text.append("]}").toString();
        }
    }

    private static final List<Work> truth = new ArrayList<>();
    private static String[] arguments;
    private final Map<Integer, Integer> ports = new HashMap<>();  // by server process
    private Pool pool;

    @Override
    public void start(Promise<Void> started) {
        int connections = Integer.parseInt(arguments[2]);
        PgConnectOptions options = new PgConnectOptions().setHost("127.0.0.1").setPort(Integer.parseInt(arguments[1])).setDatabase("postgres").setUser("shop")
            .setCachePreparedStatements(arguments[3].equals("cached"));
        pool = Pool.pool(vertx, options, new PoolOptions().setMaxSize(connections));
        List<Future<SqlConnection>> all = new ArrayList<>();
        for (int i = 0; i < connections; ++i) {
            all.add(pool.getConnection());
        }
        Future.all(all).compose(had -> {
            List<Future<Void>> asked = new ArrayList<>();
            for (Future<SqlConnection> each : all) {
                asked.add(each.result().query("SELECT pg_backend_pid(), inet_client_port()").execute().compose(rows -> {
                    Row row = rows.iterator().next();
                    ports.put(row.getInteger(0), row.getInteger(1));
                    return each.result().close();
                }));
            }
            return Future.all(asked);
        }).compose(had -> vertx.createHttpServer(new HttpServerOptions().setAcceptBacklog(512)).requestHandler(this::answer)
            .listen(Integer.parseInt(arguments[0]), "127.0.0.1")).<Void>mapEmpty().onComplete(started);
    }

    private void answer(HttpServerRequest request) {
        Work work = new Work(request);
        synchronized (truth) {
            truth.add(work);
        }
        String[] words = work.path.split("/");
        endpoint(words[1], work, Integer.parseInt(words[2])).onComplete(done -> {
            request.response().setStatusCode(done.succeeded() ? 200 : 500).end(work.path);
            work.end = System.nanoTime();
        });
    }

    /** As the pool's own withConnection, but that the use is noted. */
    private <T> Future<T> with(Work work, Function<SqlConnection, Future<T>> use) {
        return pool.getConnection().compose(connection -> {
            int port = ports.get(PgConnection.cast(connection).processId());
            long begin = System.nanoTime();
            return use.apply(connection).onComplete(done -> {
                work.calls.add(new Call(port, begin, System.nanoTime()));
                connection.close();
            });
        });
    }

    private Future<?> ask(SqlConnection connection, String statement, int number) {
        return connection.preparedQuery(statement).execute(Tuple.of(number));
    }

    private Future<?> query(Work work, String statement, int number) {
        return with(work, connection -> ask(connection, statement, number).mapEmpty());
    }

    /** One after the other. */
    private Future<?> each(int times, Function<Integer, Future<?>> step) {
        Future<?> last = Future.succeededFuture();
        for (int i = 0; i < times; ++i) {
            int at = i;
            last = last.compose(done -> step.apply(at));
        }
        return last;
    }

    private Future<?> sleep(int milliseconds) {
        Promise<Void> woken = Promise.promise();
        vertx.setTimer(milliseconds, id -> woken.complete());
        return woken.future();
    }

    private Future<?> endpoint(String name, Work work, int n) {
        String[] three = {CUSTOMER, PURCHASE, PRODUCT};
        return switch (name) {
            case "one" -> query(work, LINE, n);
            case "three" -> each(3, i -> query(work, three[i], n));
            case "five" -> each(5, i -> query(work, LINE, n + i));
            case "many" -> each(20, i -> query(work, PRODUCT, n + i));
            case "held" -> with(work, connection -> each(20, i -> ask(connection, PRODUCT, n + i)).mapEmpty());
            case "parallel" -> Future.all(query(work, CUSTOMER, n), query(work, PURCHASE, n), query(work, PRODUCT, n));
            case "same" -> Future.all(query(work, LINE, n), query(work, LINE, n + 1), query(work, LINE, n + 2));
            case "transaction" -> with(work, connection -> connection.begin()
                .compose(transaction -> ask(connection, PURCHASE, n).compose(rows -> ask(connection, LINE, n)).compose(rows -> transaction.commit())));
            case "timers" -> query(work, CUSTOMER, n).compose(rows -> sleep(1 + n * 7 % 5)).compose(rows -> query(work, PURCHASE, n))
                .compose(rows -> sleep(1 + (n + 1) * 7 % 5)).compose(rows -> query(work, PRODUCT, n));
            case "fixed" -> query(work, PURCHASE, n).compose(rows -> sleep(3)).compose(rows -> query(work, CUSTOMER, n));
            default -> Future.failedFuture(name);
        };
    }

    public static void main(String[] given) throws Exception {
        arguments = given;
        Vertx vertx = Vertx.vertx();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            synchronized (truth) {
                try (PrintWriter file = new PrintWriter(arguments[4])) {
                    truth.forEach(work -> file.println(work.json()));
                } catch (java.io.IOException failed) {
                    System.err.println(failed);
                }
            }
        }));
        vertx.deployVerticle(new Loop()).onFailure(failed -> {
            failed.printStackTrace();
            System.exit(1);
        });
    }
}

#include "proto/amqp/amqp.hpp"
#include "proto/dns/dns.hpp"
#include "proto/fastcgi/fastcgi.hpp"
#include "proto/http1/http1.hpp"
#include "proto/http2/http2.hpp"
#include "proto/kafka/kafka.hpp"
#include "proto/memcached/memcached.hpp"
#include "proto/mongodb/mongodb.hpp"
#include "proto/mysql/mysql.hpp"
#include "proto/parser.hpp"
#include "proto/postgres/postgres.hpp"
#include "proto/redis/redis.hpp"
#include "proto/tls/tls.hpp"

namespace timesink::proto {

std::span<const Protocol> registry() {
    static constexpr Protocol kProtocols[] = {
        {"tls", tls::detect, tls::make},
        {"http", http1::detect, http1::make},
        {"http", http2::detect, http2::make},
        {"http", fastcgi::detect, fastcgi::make},
        {"postgresql", postgres::detect, postgres::make},
        {"mongodb", mongodb::detect, mongodb::make},
        {"mysql", mysql::detect, mysql::make},
        {"rabbitmq", amqp::detect, amqp::make},
        {"memcached", memcached::detect, memcached::make},
        {"kafka", kafka::detect, kafka::make},
        {"dns", dns::detect, dns::make},
        {"dns", dns::detect_stream, dns::make_stream},
        {"redis", redis::detect, redis::make},
    };
    return kProtocols;
}

}  // namespace timesink::proto

#include <algorithm>
#include <string>
#include <string_view>

#include "proto/lines.hpp"
#include "proto/postgres/exchanges.hpp"
#include "proto/postgres/framer.hpp"
#include "proto/postgres/postgres.hpp"
#include "proto/postgres/statements.hpp"
#include "proto/turns.hpp"

namespace timesink::proto::postgres {
namespace {

/// As many contiguous last bytes as a CommandComplete and a ReadyForQuery can have.
constexpr std::size_t kTail = 160;
constexpr std::string_view kSync{"S\0\0\0\4", 5};
constexpr std::string_view kReady{"Z\0\0\0\5", 5};
/// A client's message at the begin of a call is believed up to this size while the parser searches: text read as a length is far
/// beyond.
constexpr std::uint64_t kBelievable = 16 * 1024 * 1024;

/// Of an error whose SQLSTATE was not captured.
constexpr std::string_view kUnknown = "unknown";

/// One direction of the connection. `lost`: the bytes of messages are not known to begin anywhere; then
/// - a client's message is looked for at the begin of each call, a Sync at the end of each;
/// - of the server, ReadyForQuery at the end of a call; rows look too much like headers to be trusted at the begin of one.
struct Stream {
    explicit Stream(Direction way) : direction(way), framer(way) {}
    Direction direction;
    Framer framer;
    bool lost = false;
    bool searching = false;   ///< lost: the framer tries the first bytes of a call
    bool in_call = false;     ///< the last byte seen was not the last of its system call
    bool calls_lost = false;  ///< lost: whole calls are missing, so what is seen now may belong to a later answer
    std::string tail;         ///< lost: the last contiguous bytes
};

/// Reads NUL-ended strings one after the other; what a cut message does not have is empty.
std::string_view take_string(std::string_view& payload) {
    const std::size_t end = std::min(payload.find('\0'), payload.size());
    const std::string_view text = payload.substr(0, end);
    payload.remove_prefix(std::min(end + 1, payload.size()));
    return text;
}

/// Rows out of a command tag: its last word, where that is a number ("INSERT 0 5", "SELECT 3").
std::uint64_t rows_of(std::string_view tag) {
    tag = tag.substr(0, tag.find('\0'));
    std::uint64_t rows = 0;
    const std::size_t space = tag.rfind(' ');
    return space != std::string_view::npos && parse_decimal(tag.substr(space + 1), rows) ? rows : 0;
}

/// The field C (SQLSTATE) of an ErrorResponse.
std::string sqlstate_of(std::string_view fields) {
    while (!fields.empty() && fields.front() != '\0') {
        const char field = fields.front();
        fields.remove_prefix(1);
        const std::string_view value = take_string(fields);
        if (field == 'C') {
            return std::string(value.size() == 5 ? value : kUnknown);
        }
    }
    return std::string(kUnknown);
}

/// The database named in a StartupMessage; the user's, when none is.
std::string database_of(std::string_view parameters) {
    std::string user;
    while (!parameters.empty() && parameters.front() != '\0') {
        const std::string_view name = take_string(parameters);
        const std::string_view value = take_string(parameters);
        if (name == "database") {
            return std::string(value);
        }
        if (name == "user") {
            user = value;
        }
    }
    return user;
}

class Postgres final : public Parser {
public:
    Parsed parse(const Chunk& chunk, Sink& sink) override;
    void gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) override;
    void finish(Direction direction, std::uint64_t position, Sink& sink) override;

private:
    std::size_t step(Stream& stream, std::span<const std::byte> bytes, std::uint64_t position, Sink& sink);
    std::size_t search(Stream& stream, std::span<const std::byte> bytes, std::uint64_t position);
    void search_at_call_end(Stream& stream, std::uint64_t position, Sink& sink);
    bool answer_encryption(char answer, std::uint64_t position, Sink& sink);
    void message_done(Stream& stream, Sink& sink);
    void lose(Stream& stream, std::uint64_t position, Sink& sink);

    void from_client(const Message& message, Sink& sink);
    void opening(const Message& message, Sink& sink);
    void query(const Message& message, Sink& sink);
    void prepare(const Message& message, Sink& sink);
    void bind(const Message& message, Sink& sink);
    void describe(const Message& message, Sink& sink);
    void execute(const Message& message, Sink& sink);
    void close_named(const Message& message, Sink& sink);
    void sync(const Message& message, Sink& sink);
    void call_function(const Message& message, Sink& sink);
    void driver_asks(const Message& message, std::string operation, Asked asked, std::string database, Sink& sink);
    void one_way(const Message& message, std::string operation, Sink& sink);

    void from_server(const Message& message, Sink& sink);
    void statement_answer(Exchange& exchange, const Message& message, Sink& sink);
    bool short_answer(const Message& message, Sink& sink);
    void nobodys_answer(const Message& message, Sink& sink);
    void end_nobodys(std::uint64_t end, bool complete, Sink& sink);

    void before_opening(Sink& sink);
    Exchange& open(const Message& message, Sink& sink);
    Exchange& group(const Message& message, Sink& sink);

    Stream request_{Direction::request};
    Stream response_{Direction::response};
    Exchanges exchanges_;
    Statements statements_;
    bool nobodys_open_ = false;  ///< an answer to what was not seen, up to its ReadyForQuery
    End nobodys_;
    bool understood_ = false;
    bool not_mine_ = false;
    bool rejected_ = false;
};

Parsed Postgres::parse(const Chunk& chunk, Sink& sink) {
    if (not_mine_) {
        return {0, Verdict::not_mine};
    }
    Stream& stream = chunk.direction == Direction::request ? request_ : response_;
    if (chunk.direction == Direction::response && !chunk.bytes.empty()) {
        exchanges_.hear();
    }
    if (stream.lost && !stream.in_call && stream.direction == Direction::request && !stream.searching) {
        stream.searching = true;
        stream.framer.next();
    }
    std::size_t taken = 0;
    while (taken < chunk.bytes.size() && !not_mine_) {
        exchanges_.saw(chunk.direction, chunk.position + taken);
        taken += step(stream, chunk.bytes.subspan(taken), chunk.position + taken, sink);
    }
    if (not_mine_) {
        return {rejected_ ? 0 : taken, Verdict::not_mine};
    }
    exchanges_.saw(chunk.direction, chunk.position + taken);
    stream.in_call = !chunk.ends_call;
    if (stream.lost && chunk.ends_call) {
        search_at_call_end(stream, chunk.position + taken, sink);
    }
    return {taken, Verdict::ok};
}

std::size_t Postgres::step(Stream& stream, std::span<const std::byte> bytes, std::uint64_t position, Sink& sink) {
    if (stream.lost) {
        return search(stream, bytes, position);
    }
    if (stream.direction == Direction::response && stream.framer.between() &&
        answer_encryption(as_text(bytes).front(), position, sink)) {
        return 1;
    }
    const std::size_t taken = stream.framer.take(bytes, position);
    if (stream.framer.complete()) {
        message_done(stream, sink);
    } else if (stream.framer.invalid() && !understood_) {
        not_mine_ = rejected_ = true;
    } else if (stream.framer.invalid()) {
        lose(stream, position, sink);
    }
    return taken;
}

void Postgres::message_done(Stream& stream, Sink& sink) {
    understood_ = true;
    const Message message = stream.framer.message();
    exchanges_.saw(stream.direction, message.end);
    stream.direction == Direction::request ? from_client(message, sink) : from_server(message, sink);
    stream.framer.next();
}

/// A request for TLS or GSS encryption is answered by one byte. False: none is awaited, or it is an error message.
bool Postgres::answer_encryption(char answer, std::uint64_t position, Sink& sink) {
    Exchange* exchange = exchanges_.answering();
    if (exchange == nullptr || exchanges_.front() != Asked::ssl || (answer != 'S' && answer != 'G' && answer != 'N')) {
        return false;
    }
    exchanges_.respond(*exchange, position, sink);
    exchanges_.answered(position + 1, sink);
    if (answer != 'N') {
        not_mine_ = true;
        sink.upgraded(answer == 'S' ? "tls" : "gss");
    }
    return true;
}

void Postgres::lose(Stream& stream, std::uint64_t position, Sink& sink) {
    stream.lost = true;
    stream.calls_lost = !stream.in_call;
    stream.searching = false;
    stream.tail.clear();
    stream.framer.next();
    if (stream.direction == Direction::request) {
        exchanges_.lose_requests(position, sink);
    } else {
        end_nobodys(position, false, sink);
        (void)exchanges_.lose_responses(position, sink);
    }
    sink.lost_sync(stream.direction, position);
}

std::size_t Postgres::search(Stream& stream, std::span<const std::byte> bytes, std::uint64_t position) {
    if (stream.searching) {
        constexpr std::size_t kHeader = 5;
        const std::size_t taken = stream.framer.take(bytes.first(std::min(bytes.size(), kHeader)), position);
        if (stream.framer.begun() && stream.framer.message().type != kOpening && stream.framer.message().bytes() < kBelievable) {
            stream.lost = false;
            stream.searching = false;
            return taken;
        }
        stream.searching = !stream.framer.begun() && !stream.framer.invalid();
        if (stream.searching) {
            return taken;
        }
        stream.framer.next();
    }
    if (Exchange* exchange = exchanges_.answering(); exchange != nullptr && stream.direction == Direction::response) {
        exchange->response.body_bytes += bytes.size();
    }
    const std::string_view text = as_text(bytes);
    stream.tail.append(text.substr(text.size() - std::min(text.size(), kTail)));
    stream.tail.erase(0, stream.tail.size() - std::min(stream.tail.size(), kTail));
    return bytes.size();
}

void Postgres::search_at_call_end(Stream& stream, std::uint64_t position, Sink& sink) {
    const std::string_view tail = stream.tail;
    if (stream.direction == Direction::request) {
        if (tail.ends_with(kSync)) {
            stream.lost = stream.searching = false;
            stream.framer.next();
            if (!stream.calls_lost) {
                exchanges_.confirm_sync();
            }
        }
        return;
    }
    const std::size_t ready = tail.size() - std::min(tail.size(), kReady.size() + 1);
    if (!tail.substr(ready).starts_with(kReady) || std::string_view("ITE").find(tail.back()) == std::string_view::npos) {
        return;
    }
    stream.lost = false;
    Exchange* exchange = exchanges_.answering();
    if (exchange == nullptr) {
        return;
    }
    // The shortest tag is "DO"; its message ends where the ReadyForQuery begins, which is what tells it from a row.
    std::size_t tag = std::string_view::npos;
    for (std::size_t at = ready; at-- > 0 && tag == std::string_view::npos;) {
        if (tail[at] == 'C' && ready - at >= 8 && tail[ready - 1] == '\0' &&
            big_endian_32(tail.substr(at + 1, 4)) == ready - at - 1) {
            tag = at + 5;
        }
    }
    exchange->cut = exchange->cut || tag == std::string_view::npos || stream.calls_lost;
    if (tag != std::string_view::npos) {
        exchange->response.rows += rows_of(tail.substr(tag));
        exchange->answered_whole = true;
    }
    exchanges_.ready(position - kReady.size() - 1, position, tail.substr(tail.size() - 1), sink);
}

void Postgres::gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) {
    if (not_mine_ || end <= begin) {
        return;
    }
    Stream& stream = direction == Direction::request ? request_ : response_;
    if (direction == Direction::response) {
        exchanges_.hear();
    }
    std::uint64_t known = 0;
    if (!stream.lost && stream.framer.begun()) {
        known = stream.framer.skip(end - begin);
        if (stream.framer.complete()) {
            message_done(stream, sink);
        }
    }
    if (known < end - begin && !stream.lost) {
        lose(stream, begin + known, sink);
    }
    if (stream.lost) {
        stream.calls_lost = stream.calls_lost || !stream.in_call;
        stream.tail.clear();
        stream.searching = false;
        stream.framer.next();
        if (Exchange* exchange = exchanges_.answering(); exchange != nullptr && direction == Direction::response) {
            exchange->response.body_bytes += end - begin - known;
        }
    }
    exchanges_.saw(direction, end);
}

void Postgres::finish(Direction direction, std::uint64_t position, Sink& sink) {
    if (not_mine_) {
        return;
    }
    exchanges_.saw(direction, position);
    if (direction == Direction::request) {
        exchanges_.finish_requests(position, sink);
    } else {
        end_nobodys(position, false, sink);
        exchanges_.finish_responses(position, sink);
    }
}

void Postgres::before_opening(Sink& sink) {
    const bool between = !response_.lost && response_.framer.between() && !nobodys_open_;
    if (exchanges_.turn_begins(response_.lost, between, sink)) {
        response_.lost = false;
        response_.framer.next();
    }
}

Exchange& Postgres::open(const Message& message, Sink& sink) {
    exchanges_.seal_group(message.begin, true, sink);
    before_opening(sink);
    Exchange& exchange = exchanges_.open(message.begin, sink);
    exchange.sealed = true;
    return exchange;
}

Exchange& Postgres::group(const Message& message, Sink& sink) {
    if (Exchange* exchange = exchanges_.current()) {
        return *exchange;
    }
    before_opening(sink);
    return exchanges_.open_group(message.begin, sink);
}

void Postgres::from_client(const Message& message, Sink& sink) {
    switch (message.type) {
        case kOpening:
            return opening(message, sink);
        case 'Q':
            return query(message, sink);
        case 'P':
            return prepare(message, sink);
        case 'B':
            return bind(message, sink);
        case 'D':
            return describe(message, sink);
        case 'E':
            return execute(message, sink);
        case 'C':
            return close_named(message, sink);
        case 'S':
            return sync(message, sink);
        case 'F':
            return call_function(message, sink);
        case 'H':
            if (const Exchange* exchange = exchanges_.current(); exchange != nullptr && !exchange->binds) {
                exchanges_.seal_group(message.end, true, sink);
            }
            return;
        case 'd':
            if (Exchange* exchange = exchanges_.copying()) {
                exchange->request_bytes += message.bytes() - 5;
            }
            return;
        case 'c':
        case 'f':
            if (Exchange* exchange = exchanges_.copying()) {
                exchanges_.end_request(*exchange, message.end, true, sink);
            }
            return;
        case 'X':
            return one_way(message, "TERMINATE", sink);
        default:
            return;  // 'p': a part of the start-up
    }
}

/// An exchange that the driver needs for itself.
void Postgres::driver_asks(const Message& message, std::string operation, Asked asked, std::string database, Sink& sink) {
    Exchange& exchange = open(message, sink);
    exchange.request.operation = std::move(operation);
    exchange.request.housekeeping = true;
    if (!database.empty()) {
        exchange.request.attributes.emplace_back("db.namespace", std::move(database));
    }
    exchanges_.ask(exchange, asked);
    exchanges_.announce(exchange, sink);
    exchanges_.end_request(exchange, message.end, true, sink);
}

void Postgres::opening(const Message& message, Sink& sink) {
    const std::uint32_t code = big_endian_32(message.payload);
    if (code == kCancelRequest) {
        one_way(message, "CANCEL", sink);
    } else if (code == kSslRequest || code == kGssEncryptionRequest) {
        driver_asks(message, code == kSslRequest ? "SSLREQUEST" : "GSSENCREQUEST", Asked::ssl, "", sink);
    } else {
        driver_asks(message, "STARTUP", Asked::startup, database_of(message.payload.substr(4)), sink);
    }
}

void Postgres::one_way(const Message& message, std::string operation, Sink& sink) {
    Exchange& exchange = open(message, sink);
    exchange.request.operation = std::move(operation);
    exchange.request.housekeeping = true;
    exchange.request.expects_response = false;
    exchanges_.announce(exchange, sink);
    exchanges_.end_request(exchange, message.end, true, sink);
    exchanges_.forget(exchange);
}

void Postgres::query(const Message& message, Sink& sink) {
    Exchange& exchange = open(message, sink);
    std::string_view payload = message.payload;
    const std::string_view text = take_string(payload);
    exchange.request.target = text;
    exchange.request.target_truncated = message.cut;
    exchange.request.operation = leading_keyword(text);
    exchange.request.housekeeping = !message.cut && is_housekeeping(text);
    exchange.copies_in = is_copy_from_client(text);
    exchanges_.ask(exchange, Asked::query);
    exchanges_.announce(exchange, sink);
    if (!exchange.copies_in) {
        exchanges_.end_request(exchange, message.end, !message.cut || !may_be_copy_from_client(text), sink);
    }
}

void Postgres::call_function(const Message& message, Sink& sink) {
    Exchange& exchange = open(message, sink);
    exchange.request.operation = "FUNCTION";
    exchanges_.ask(exchange, Asked::function);
    exchanges_.announce(exchange, sink);
    exchanges_.end_request(exchange, message.end, true, sink);
}

void Postgres::prepare(const Message& message, Sink& sink) {
    std::string_view payload = message.payload;
    const std::string_view name = take_string(payload);
    const std::string_view text = take_string(payload);
    if (const Exchange* exchange = exchanges_.current(); exchange != nullptr && (exchange->parses || exchange->binds)) {
        exchanges_.seal_group(message.begin, true, sink);
    }
    Exchange& exchange = group(message, sink);
    exchange.parses = true;
    exchange.name_hidden = message.cut && message.payload.find('\0') == std::string_view::npos;
    exchange.statement = exchange.name_hidden ? std::make_shared<const Statement>(Statement{{}, {}, true})
                                              : statements_.prepare(name, text, message.cut);
    exchanges_.ask(exchange, Asked::parse);
}

void Postgres::bind(const Message& message, Sink& sink) {
    std::string_view payload = message.payload;
    const bool names_hidden = message.cut && std::count(payload.begin(), payload.end(), '\0') < 2;
    const std::string_view portal = take_string(payload);
    const std::string_view name = take_string(payload);
    if (const Exchange* exchange = exchanges_.current(); exchange != nullptr) {
        const bool another = exchange->parses && !exchange->name_hidden && !names_hidden && exchange->statement->name != name;
        if (exchange->binds || another) {
            exchanges_.seal_group(message.begin, true, sink);
        }
    }
    Exchange& exchange = group(message, sink);
    exchange.binds = true;
    if (names_hidden) {
        exchange.names_hidden = true;
    } else {
        exchange.statement = exchange.name_hidden ? exchange.statement : statements_.find(name);
        statements_.bind(portal, exchange.statement);
    }
    exchanges_.ask(exchange, Asked::bind);
}

void Postgres::describe(const Message& message, Sink& sink) {
    Exchange& exchange = group(message, sink);
    const bool statement = message.payload.starts_with('S');
    std::string_view name = message.payload.substr(std::min<std::size_t>(1, message.payload.size()));
    if (exchange.statement == nullptr && statement) {
        exchange.statement = statements_.find(take_string(name));
    } else if (exchange.statement == nullptr) {
        exchange.statement = statements_.bound(take_string(name));
    }
    exchanges_.ask(exchange, statement ? Asked::describe_statement : Asked::describe_portal);
}

void Postgres::execute(const Message& message, Sink& sink) {
    std::string_view payload = message.payload;
    const std::string_view portal = take_string(payload);
    Exchange& exchange = group(message, sink);
    if (const auto statement = statements_.bound(portal); statement != nullptr && !exchange.names_hidden && !message.cut) {
        exchange.statement = statement;
    }
    exchange.executed = true;
    exchange.copies_in = exchange.statement != nullptr && is_copy_from_client(exchange.statement->text);
    exchanges_.ask(exchange, Asked::execute);
    exchanges_.announce(exchange, sink);
    if (!exchange.copies_in) {
        const bool unclear =
            exchange.statement != nullptr && exchange.statement->truncated && may_be_copy_from_client(exchange.statement->text);
        exchanges_.end_request(exchange, message.end, !unclear, sink);
    }
    exchanges_.seal(exchange);
}

void Postgres::close_named(const Message& message, Sink& sink) {
    std::string_view name = message.payload.substr(std::min<std::size_t>(1, message.payload.size()));
    message.payload.starts_with('S') ? statements_.forget(take_string(name)) : statements_.forget_portal(take_string(name));
    Exchange* served = exchanges_.current() == nullptr ? exchanges_.unsynced() : nullptr;
    if (served == nullptr) {
        served = &group(message, sink);
        served->closes = true;
    }
    exchanges_.ask(*served, Asked::close);
}

void Postgres::sync(const Message& message, Sink& sink) {
    if (Exchange* exchange = exchanges_.current()) {
        exchanges_.ask(*exchange, Asked::sync);
        exchanges_.seal_group(message.end, true, sink);
    } else if (Exchange* last = exchanges_.unsynced()) {
        exchanges_.ask(*last, Asked::sync);
    } else {
        driver_asks(message, "SYNC", Asked::sync, "", sink);
    }
    exchanges_.synced();
}

void Postgres::from_server(const Message& message, Sink& sink) {
    constexpr std::string_view kAtAnyTime = "NAS";  // NoticeResponse, NotificationResponse, ParameterStatus
    if (kAtAnyTime.find(message.type) != std::string_view::npos) {
        return;
    }
    Exchange* exchange = exchanges_.answering();
    if (exchange == nullptr || nobodys_open_) {
        return nobodys_answer(message, sink);
    }
    if (message.type == 'Z') {
        exchanges_.ready(message.begin, message.end, message.payload, sink);
        return;
    }
    if (exchanges_.aborting()) {
        return;
    }
    if (message.type == 'E') {
        exchange->cut = exchange->cut || sqlstate_of(message.payload) == kUnknown;
        exchanges_.fail(sqlstate_of(message.payload), message.begin, message.end, sink);
        return;
    }
    if (short_answer(message, sink)) {
        return;
    }
    statement_answer(*exchange, message, sink);
}

/// Answers to Parse, Bind, Close and Describe. False: it is for another kind of question.
bool Postgres::short_answer(const Message& message, Sink& sink) {
    std::string_view expected;
    switch (exchanges_.front()) {
        case Asked::parse:
            expected = "1";
            break;
        case Asked::bind:
            expected = "2";
            break;
        case Asked::close:
            expected = "3";
            break;
        case Asked::describe_statement:
            expected = "tTn";
            break;
        case Asked::describe_portal:
            expected = "Tn";
            break;
        case Asked::sync:
        case Asked::ssl:
            break;
        default:
            return false;
    }
    if (expected.find(message.type) == std::string_view::npos) {
        // Not the answer to what was asked: something went unseen without a gap being told (a connection taken over in
        // mid-flight).
        response_.calls_lost = true;
        exchanges_.lose_order(message.begin, sink);
        sink.lost_sync(Direction::response, message.begin);
        return true;
    }
    exchanges_.respond(*exchanges_.answering(), message.begin, sink);
    if (message.type != 't') {  // the row description of the statement follows
        exchanges_.answered(message.end, sink);
    }
    return true;
}

void Postgres::statement_answer(Exchange& exchange, const Message& message, Sink& sink) {
    exchanges_.respond(exchange, message.begin, sink);
    const Asked asked = exchanges_.front();
    switch (message.type) {
        case 'D':
            exchange.response.body_bytes += message.bytes();
            break;
        case 'd':
            exchange.response.body_bytes += message.bytes() - 5;
            break;
        case 'G':
            exchanges_.copy_in_begins();
            break;
        case '1':
            ++exchange.parse_answers;
            break;
        case '2':
            ++exchange.bind_answers;
            break;
        case 'C':
            exchange.response.rows += rows_of(message.payload);
            exchange.cut = exchange.cut || message.cut;
            [[fallthrough]];
        case 'I':
        case 's':
            ++exchange.completions;
            if (asked == Asked::execute) {
                exchanges_.answered(message.end, sink);
            }
            break;
        default:
            break;
    }
}

void Postgres::nobodys_answer(const Message& message, Sink& sink) {
    if (!nobodys_open_) {
        nobodys_open_ = true;
        nobodys_ = End{.direction = Direction::response, .correlation = kNobody};
        sink.head({.direction = Direction::response, .correlation = kNobody, .begin = message.begin});
    }
    if (message.type == 'D') {
        nobodys_.body_bytes += message.bytes();
    } else if (message.type == 'C') {
        nobodys_.rows += rows_of(message.payload);
    } else if (message.type == 'E') {
        nobodys_.error = sqlstate_of(message.payload);
    } else if (message.type == 'Z') {
        end_nobodys(message.end, true, sink);
    }
}

void Postgres::end_nobodys(std::uint64_t end, bool complete, Sink& sink) {
    if (nobodys_open_) {
        nobodys_open_ = false;
        nobodys_.end = end;
        nobodys_.complete = complete;
        sink.end(nobodys_);
    }
}

bool opens_connection(std::string_view text) {
    const std::uint32_t length = big_endian_32(text);
    const std::uint32_t code = big_endian_32(text.substr(4));
    return length >= 8 && length <= 10'000 && (code == 3 << 16 || (code >= kCancelRequest && code <= kGssEncryptionRequest));
}

}  // namespace

Match detect(Direction direction, std::span<const std::byte> bytes) {
    std::string_view rest = as_text(bytes);
    if (direction == Direction::request && rest.starts_with(kOpening)) {
        return rest.size() < 8 ? Match::maybe : opens_connection(rest) ? Match::yes : Match::no;
    }
    std::size_t messages = 0;
    while (rest.size() >= 5) {
        const std::uint32_t length = big_endian_32(rest.substr(1));
        if (!plausible(direction, rest.front(), length) || length >= kBelievable) {
            return Match::no;
        }
        ++messages;
        const char type = rest.front();
        const bool ends_batch = direction == Direction::request ? type == 'S' || type == 'Q' : type == 'Z';
        if (length + 1 >= rest.size()) {
            // Whole messages up to the very end, or the text of a query: chance does not do that.
            const bool text = type == 'Q' && rest.size() > 6 && static_cast<unsigned char>(rest[5]) >= 0x20;
            return (length + 1 == rest.size() && (messages > 1 || ends_batch)) || text || messages > 2 ? Match::yes
                                                                                                       : Match::maybe;
        }
        rest.remove_prefix(length + 1);
    }
    if (messages > 2) {
        return Match::yes;
    }
    if (rest.empty()) {
        return Match::maybe;
    }
    return is_type(direction, rest.front()) ? Match::maybe : Match::no;
}

std::unique_ptr<Parser> make() {
    return std::make_unique<Postgres>();
}

}  // namespace timesink::proto::postgres

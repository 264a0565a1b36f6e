#include <string_view>

#include "proto/postgres/parser.hpp"
#include "proto/postgres/payload.hpp"
#include "proto/turns.hpp"

namespace timesink::proto::postgres {

void Postgres::from_server(const Message& message, Sink& sink) {
    if (message.type == 'N' || message.type == 'A' || message.type == 'S') {
        return;  // NoticeResponse, NotificationResponse, ParameterStatus: at any time
    }
    Exchange* exchange = exchanges_.answering();
    if (exchange == nullptr || nobodys_open_) {
        return nobodys_answer(message, sink);
    }
    if (exchange->in_rows && message.type == 'D') {
        return count_row(*exchange, message);
    }
    exchange->in_rows = false;
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

namespace {

/// Of a row; all of a result have as many. Zero: not seen (masked by those who did not look at it).
std::uint64_t columns_of(const Message& row) {
    constexpr std::uint64_t kHeader = 1 + 4 + 2;
    constexpr std::uint64_t kLength = 4;  // of each column, ahead of its value
    if (row.payload.size() < 2) {
        return 0;
    }
    const auto count =
        static_cast<std::uint64_t>(static_cast<unsigned char>(row.payload[0]) << 8 | static_cast<unsigned char>(row.payload[1]));
    return kHeader + count * kLength <= row.bytes() ? count + 1 : 0;
}

}  // namespace

void Postgres::count_row(Exchange& exchange, const Message& row) {
    exchange.response.columns = columns_of(row);
    exchange.response.body_bytes += row.bytes();
}

void Postgres::statement_answer(Exchange& exchange, const Message& message, Sink& sink) {
    exchanges_.respond(exchange, message.begin, sink);
    const Asked asked = exchanges_.front();
    switch (message.type) {
        case 'D':
            exchange.in_rows = true;
            count_row(exchange, message);
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
            add_rows(exchange.response, message.cut ? std::string_view{} : message.payload);
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
        add_rows(nobodys_, message.payload);
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

}  // namespace timesink::proto::postgres

#include <algorithm>
#include <string>
#include <utility>

#include "proto/mysql/mysql.hpp"
#include "proto/mysql/parser.hpp"

namespace timesink::proto::mysql {

namespace {

/// Of the columns so far, and one more: by the lengths of their descriptions, which are the same where these are masked.
std::uint64_t with_column(std::uint64_t columns, std::uint64_t length) {
    const std::uint64_t hash = (columns ^ (length + 0x9e3779b97f4a7c15)) * 0xff51afd7ed558ccd;
    return (hash ^ hash >> 32) | 1;
}

}  // namespace

void Mysql::from_server(const Frame& frame, Sink& sink) {
    next_sequence_ = static_cast<std::uint8_t>(frame.header[3] + 1);
    Asked* const asked = turns_.answering();
    if (asked == nullptr && !answer_open_) {
        unasked(frame, sink);
        return;
    }
    if (asked == nullptr || (frame.cut && frame.payload.size() < std::min<std::uint64_t>(frame.payload_bytes(), 16))) {
        // What it says is what tells where the answer ends.
        hidden_ = true;
        response_.lose(frame.begin, *this, sink);
        return;
    }
    if (!answer_open_) {
        answer_open_ = clear_ = true;
        hidden_ = false;
        answer_to_ = turns_.answering_correlation();
        answer_ = End{.direction = Direction::response};
        phase_ = asked->login ? Phase::login : asked->command == Command::fetch ? Phase::rows : Phase::first;
        sink.head({.direction = Direction::response, .correlation = answer_to_, .begin = frame.begin});
    }
    if (sink.redacts()) {
        keep_answer(frame, said_by(*asked), sink);
    }
    answer(frame, *asked);
    if (load_data_ && !sends_file_) {
        request_over(request_.seen(), true, sink);  // no file is wanted
    }
    if (asked->login && over_) {
        logging_in_ = false;
        if (compressed_ && answer_.error.empty()) {
            over_ = false;
            answer_over(frame.end, true, sink);
            not_mine_ = true;
            sink.upgraded("mysql-compressed");
        }
    }
}

/// By what came before in the answer.
Said Mysql::said_by(const Asked& asked) const {
    switch (phase_) {
        case Phase::login:
            return Said::login;
        case Phase::columns:
            return Said::columns;
        case Phase::definitions:
            return Said::definitions;
        case Phase::column_end:
        case Phase::rows:
            return Said::rows;
        case Phase::first:
            break;
    }
    return asked.command == Command::prepare      ? Said::prepared
           : asked.command == Command::statistics ? Said::text
           : asked.command == Command::field_list ? Said::rows
                                                  : Said::first;
}

/// A greeting, or the answer to something from before the attach.
void Mysql::unasked(const Frame& frame, Sink& sink) {
    if (frame.header[3] == 0 && is_greeting(frame.payload)) {
        understood_ = logging_in_ = true;
        keep_greeting(frame, sink);
        if (frame.whole()) {
            server_can_ = greeting_of(frame.payload).capabilities;
        }
        return;
    }
    if (!understood_) {
        const std::string packet = std::string(frame.header) + std::string(frame.payload);
        const bool may = frame.header[3] == 1 || detect(Direction::response, std::as_bytes(std::span(packet))) != Match::no;
        if (!may) {
            not_mine_ = true;
            return;
        }
        understood_ = true;
    }
    response_.lose(frame.begin, *this, sink);
}

void Mysql::answer(const Frame& frame, Asked& asked) {
    const char first = frame.payload.empty() ? '\0' : frame.payload.front();
    constexpr std::string_view kProgress = "\xff\xff\xff";  // MariaDB tells of its progress in an ERR without number
    if (first == kError && frame.payload.starts_with(kProgress)) {
        return;
    }
    const bool no_row = phase_ != Phase::columns && phase_ != Phase::definitions;
    if (first == kError && no_row) {
        fail(frame);
        return;
    }
    switch (phase_) {
        case Phase::login:
            over_ = first == kOk;
            return;
        case Phase::first:
            first_packet(frame, asked);
            return;
        case Phase::columns:
            columns_ = with_column(columns_, frame.payload_bytes());
            if (--left_ == 0) {
                phase_ = Phase::column_end;
                answer_.columns = hidden_ ? 0 : columns_;
            }
            return;
        case Phase::column_end:
            phase_ = Phase::rows;
            if (first == kEof && frame.payload_bytes() == 5) {
                no_eof_ = false;
                over_ = (eof_status(frame.payload) & kCursor) != 0;
                return;
            }
            row(frame);
            return;
        case Phase::rows:
            row(frame);
            return;
        case Phase::definitions:
            over_ = --left_ == 0;
            return;
    }
}

void Mysql::first_packet(const Frame& frame, Asked& asked) {
    const char first = frame.payload.front();
    if (asked.command == Command::statistics) {
        over_ = true;
    } else if (asked.command == Command::prepare) {
        prepared(frame, asked);
    } else if (asked.command == Command::field_list) {
        phase_ = Phase::rows;
        row(frame);
    } else if (first == kOk) {
        completed(ok_of(frame.payload));
    } else if (first == kEof && frame.payload_bytes() < 9) {
        completed({0, frame.payload_bytes() == 5 ? eof_status(frame.payload) : ok_of(frame.payload).status});
    } else if (first == kLocalFile) {
        sends_file_ = true;
    } else {
        result_set(frame);
    }
}

void Mysql::result_set(const Frame& frame) {
    Reader reader(frame.payload);
    left_ = take_integer(reader);
    // MariaDB leaves the columns of a prepared statement out when they are as before, and says so in one more byte.
    const bool left_out = reader.rest().size() == 1 && reader.rest().front() == '\0';
    phase_ = left_out || left_ == 0 ? Phase::column_end : Phase::columns;
    columns_ = with_column(answer_.columns, left_);
}

void Mysql::row(const Frame& frame) {
    const bool last = frame.payload.front() == kEof && frame.payload_bytes() < kLargestPayload;
    if (!last) {
        answer_.rows = answer_.rows.value_or(0) + 1;
        answer_.body_bytes += frame.payload_bytes();
        return;
    }
    if (frame.payload_bytes() == 5) {
        completed({0, eof_status(frame.payload)});
        return;
    }
    no_eof_ = true;
    completed({0, ok_of(frame.payload).status});
}

void Mysql::completed(const Completion& done) {
    answer_.rows = answer_.rows.value_or(0) + done.rows;
    if ((done.status & kMoreResults) != 0) {
        phase_ = Phase::first;
    } else {
        if ((done.status & kInTransaction) != 0) {
            answer_.attributes.emplace_back("mysql.transaction", "T");
        }
        over_ = true;
    }
}

void Mysql::prepared(const Frame& frame, Asked& asked) {
    Reader reader(frame.payload.substr(1));
    const auto id = static_cast<std::uint32_t>(reader.little<4>());
    const std::uint64_t columns = reader.little<2>();
    const std::uint64_t parameters = reader.little<2>();
    statements_.add(id, std::move(asked.statement));
    asked.statement = {};
    const std::uint64_t ends = no_eof_ ? 0 : (columns > 0 ? 1U : 0U) + (parameters > 0 ? 1U : 0U);
    left_ = columns + parameters + ends;
    phase_ = Phase::definitions;
    over_ = left_ == 0;
}

void Mysql::fail(const Frame& frame) {
    const Failure failure = failure_of(frame.payload);
    answer_.error = failure.number;
    if (!failure.sqlstate.empty()) {
        answer_.attributes.emplace_back("mysql.sqlstate", failure.sqlstate);
    }
    over_ = true;
}

}  // namespace timesink::proto::mysql

#include <string>
#include <utility>

#include "base/ascii.hpp"
#include "proto/mysql/parser.hpp"
#include "proto/postgres/statements.hpp"

namespace timesink::proto::mysql {
namespace {

/// What drivers and pools say of their own accord when they open a connection or give it back.
bool is_housekeeping(std::string_view sql) {
    constexpr std::string_view kDrivers[] = {"SET NAMES", "SET AUTOCOMMIT", "SET CHARACTER SET", "SET SESSION TRANSACTION",
                                             "SET SQL_MODE"};
    const std::string begin = upper(sql.substr(0, 32));
    for (const std::string_view text : kDrivers) {
        if (begin.starts_with(text)) {
            return true;
        }
    }
    return postgres::is_housekeeping(sql);
}

}  // namespace

void Mysql::from_client(const Frame& frame, Sink& sink) {
    const auto sequence = static_cast<std::uint8_t>(frame.header[3]);
    const std::uint64_t length = frame.payload_bytes();
    const bool largest = length == kLargestPayload;
    if (std::exchange(continues_, false)) {
        continues_ = largest;
        ends_request_ = !largest;
        if (Asked* const asked = turns_.answering()) {
            asked->sequence = static_cast<std::uint8_t>(sequence + 1);
        }
    } else if (sends_file_ && sequence != 0) {
        if (asking_) {
            asking_->body_bytes += length;
        }
        ends_request_ = length == 0;
    } else if (sequence == 0) {
        continues_ = largest;
        command(frame, sink);
    } else if (turns_.answering() == nullptr || !turns_.answering()->login) {
        login(frame, sink);
    }  // else: a further packet of the login's dialogue
}

void Mysql::login(const Frame& frame, Sink& sink) {
    const bool is = is_login(frame.payload, frame.payload_bytes());
    if (!is && (!frame.cut || !understood_)) {
        not_mine_ = !understood_;
        request_.lose(frame.begin, *this, sink);
        return;
    }
    if (is) {
        keep_login(frame, sink);
    }
    const Login login = is ? login_of(frame.payload) : Login{};
    if (is && (login.capabilities & kTls) != 0 && frame.payload_bytes() == 32) {
        not_mine_ = true;
        sink.upgraded("tls");
        return;
    }
    understood_ = logging_in_ = true;
    no_eof_ = (login.capabilities & server_can_ & kNoEof) != 0;
    compressed_ = (login.capabilities & server_can_ & kCompress) != 0;
    Head head{.begin = frame.begin, .operation = "LOGIN", .housekeeping = true};
    if (!login.database.empty()) {
        head.attributes.emplace_back("db.namespace", login.database);
    }
    ends_request_ = true;
    ask(std::move(head), {.command = Command::change_user, .login = true, .sequence = 2, .statement = {}}, sink);
}

void Mysql::command(const Frame& frame, Sink& sink) {
    const auto command = frame.payload.empty() ? Command{} : static_cast<Command>(frame.payload.front());
    if (command_name(command).empty()) {
        not_mine_ = !understood_;
        request_.lose(frame.begin, *this, sink);
        if (frame.cut) {
            continues_ = false;
        }
        return;
    }
    keep_command(frame, sink);
    understood_ = true;
    logging_in_ = false;
    if (command == Command::binlog_dump || command == Command::binlog_dump_gtid) {
        not_mine_ = true;  // what follows is a replica's stream of events
        sink.upgraded("mysql-replication");
        return;
    }
    Head head{.begin = frame.begin, .operation = std::string(command_name(command)), .housekeeping = true};
    Asked asked{.command = command, .login = command == Command::change_user, .statement = {}};
    name(frame, head, asked);
    ends_request_ = !continues_ && !load_data_;
    head.expects_response = command != Command::quit && command != Command::close_statement && command != Command::send_long_data;
    ask(std::move(head), std::move(asked), sink);
}

void Mysql::name(const Frame& frame, Head& head, Asked& asked) {
    Reader reader(frame.payload.substr(1));
    load_data_ = false;
    switch (asked.command) {
        case Command::query:
        case Command::prepare: {
            const std::string_view text = reader.rest();
            head.target = text;
            head.target_truncated = !frame.whole() || continues_;
            if (asked.command == Command::prepare) {
                asked.statement = {std::string(text), head.target_truncated};
                statements_.ask(asked.statement);
                return;
            }
            head.operation = postgres::leading_keyword(text);
            head.housekeeping = !head.target_truncated && is_housekeeping(text);
            // Cut off, it may be anything that begins so; the answer tells.
            load_data_ =
                head.operation == "LOAD" || (head.target_truncated && std::string_view("LOAD").starts_with(head.operation));
            return;
        }
        case Command::execute:
        case Command::bulk_execute:
        case Command::fetch: {
            const auto id = static_cast<std::uint32_t>(reader.little<4>());
            head.housekeeping = false;
            if (const Statements::Statement* const statement = statements_.find(id); statement != nullptr && reader.ok()) {
                head.target = statement->text;
                head.target_truncated = statement->truncated;
                head.operation = asked.command == Command::fetch ? "FETCH" : postgres::leading_keyword(statement->text);
            } else {
                head.statement_name = std::to_string(id);
            }
            return;
        }
        case Command::close_statement:
            statements_.forget(static_cast<std::uint32_t>(reader.little<4>()));
            return;
        case Command::change_user:
        case Command::reset_connection:
            statements_.clear();
            logging_in_ = asked.login;
            return;
        default:
            return;
    }
}

void Mysql::ask(Head head, Asked asked, Sink& sink) {
    before_asking(sink);
    head.correlation = head.expects_response ? turns_.ask(std::move(asked)) : turns_.number_unanswered();
    sink.head(head);
    asking_ = End{.correlation = head.correlation};
}

void Mysql::before_asking(Sink& sink) {
    request_over(request_.seen(), false, sink);
    const bool turn = turns_.turn_begins();
    if (turn && (response_.is_lost() || answer_open_)) {
        // The protocol has no other mark for the end of an answer behind a gap.
        answer_over(response_.seen(), false, sink);
        response_.found();
        give_up(turns_.level(), sink);
    } else if (turn && !turns_.certain() && turns_.answering() == nullptr) {
        give_up(turns_.level(), sink);
    }
    if (turns_.full()) {
        answer_over(response_.seen(), false, sink);
        give_up(turns_.lose_responses(), sink);
    }
}

}  // namespace timesink::proto::mysql

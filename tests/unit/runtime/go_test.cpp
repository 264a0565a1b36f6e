#include "runtime/go.hpp"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "runtime/go_image.hpp"

namespace timesink::runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint64_t kCode = 0x401000;
constexpr std::uint64_t kTable = 0x500000;
constexpr std::uint64_t kData = 0x600000;
constexpr std::uint64_t kSize = 0x1000;
constexpr std::uint64_t kBias = 0x7000'0000;

constexpr std::array<std::string_view, 4> kNames{"runtime.systemstack", "runtime.gostartcallfn",
                                                 "net/http.(*persistConn).roundTrip", "net/http.(*persistConn).writeLoop"};

/// A program drawn by hand: code, the table of functions and data, each in a segment of its own.
class Program final : public Memory {
public:
    Program() : file_(4 * kSize) {
        Elf64_Ehdr header{};
        std::memcpy(header.e_ident, ELFMAG, SELFMAG);
        header.e_ident[EI_CLASS] = ELFCLASS64;
        header.e_ident[EI_DATA] = ELFDATA2LSB;
        header.e_machine = EM_X86_64;
        header.e_phoff = sizeof(header);
        header.e_phnum = 4;
        header.e_phentsize = sizeof(Elf64_Phdr);
        put(0, header);
        segment(0, PT_LOAD, PF_R | PF_X, kSize, kCode);
        segment(1, PT_LOAD, PF_R, 2 * kSize, kTable);
        segment(2, PT_LOAD, PF_R | PF_W, 3 * kSize, kData);
        thread_local_bytes(8);
    }
    template <typename Value>
    void put(std::uint64_t offset, const Value& value) {
        std::memcpy(file_.data() + offset, &value, sizeof(value));
    }
    void text(std::uint64_t offset, std::string_view value) { std::memcpy(file_.data() + offset, value.data(), value.size()); }
    void thread_local_bytes(std::uint64_t bytes) {
        segment(3, PT_TLS, PF_R, 0, 0);
        put(sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, p_memsz), bytes);
    }
    void version(std::string_view version) {
        text(data(0x40), std::string_view("\xff Go buildinf:\x08\x02", 16));
        put(data(0x60), static_cast<std::uint8_t>(version.size()));
        text(data(0x61), version);
    }
    /// As before 1.18: a pointer to a string.
    void pointed_version(std::string_view version) {
        text(data(0x40), std::string_view("\xff Go buildinf:\x08\x00", 16));
        put(data(0x50), kData + 0x80 + kBias);
        put(data(0x80), kData + 0xa0 + kBias);
        put(data(0x88), std::uint64_t{version.size()});
        text(data(0xa0), version);
    }
    /// The table of 1.20 and newer; functions begin 16 bytes apart, the first at 16.
    void functions() {
        table_header(0xfffffff1, 32, 64);
        for (std::uint32_t i = 0; i < kNames.size(); i++) {
            put(table(0x400 + i * 8), std::array<std::uint32_t, 2>{16 * (i + 1), 0x100 + i * 0x20});
            put(table(0x500 + i * 0x20), std::array<std::uint32_t, 2>{16 * (i + 1), i * 0x40});
        }
        put(data(0x200), kTable + kBias);
        for (const auto& [word, value] :
             {std::pair{20, kCode}, std::pair{21, kCode + kSize}, std::pair{22, kCode}, std::pair{23, kCode + kSize}}) {
            put(data(0x200 + static_cast<std::uint64_t>(word) * 8), value + kBias);
        }
    }
    /// As in 1.17: addresses for offsets.
    void absolute_functions() {
        table_header(0xfffffffa, 24, 56);
        for (std::uint32_t i = 0; i < kNames.size(); i++) {
            put(table(0x400 + i * 16), std::array<std::uint64_t, 2>{kCode + 16 * (i + 1), 0x100 + i * 0x20});
            put(table(0x500 + i * 0x20), std::array<std::uint64_t, 2>{kCode + 16 * (i + 1), i * 0x40});
        }
    }
    [[nodiscard]] bool read(std::uint64_t address, std::span<std::byte> to) const override {
        const std::uint64_t at = address - kBias - kData;
        if (at > kSize || to.size() > kSize - at) {
            return false;
        }
        std::memcpy(to.data(), file_.data() + data(at), to.size());
        return true;
    }
    [[nodiscard]] GoExamination examine() const { return examine_go(file_, kBias, *this); }
    [[nodiscard]] std::vector<std::byte>& bytes() { return file_; }

    static std::uint64_t code(std::uint64_t at) { return kSize + at; }
    static std::uint64_t table(std::uint64_t at) { return 2 * kSize + at; }
    static std::uint64_t data(std::uint64_t at) { return 3 * kSize + at; }

private:
    void segment(std::uint64_t index, std::uint32_t type, std::uint32_t flags, std::uint64_t offset, std::uint64_t address) {
        Elf64_Phdr header{};
        header.p_type = type;
        header.p_flags = flags;
        header.p_offset = offset;
        header.p_vaddr = address;
        header.p_filesz = header.p_memsz = type == PT_LOAD ? kSize : 0;
        put(sizeof(Elf64_Ehdr) + index * sizeof(Elf64_Phdr), header);
    }
    void table_header(std::uint32_t magic, std::uint64_t names, std::uint64_t functions) {
        put(table(0), magic);
        put(table(6), std::array<std::uint8_t, 2>{1, 8});
        put(table(8), std::uint64_t{kNames.size()});
        put(table(names), std::uint64_t{0x200});
        put(table(functions), std::uint64_t{0x400});
        for (std::uint64_t i = 0; i < kNames.size(); i++) {
            text(table(0x200 + i * 0x40), kNames[i]);
        }
    }
    std::vector<std::byte> file_;
};

Program program(std::string_view version) {
    Program drawn;
    drawn.version(version);
    drawn.functions();
    return drawn;
}

TEST(Go, IsFollowedByTheTableOfItsVersion) {
    const auto examined = program("go1.26.8").examine();
    ASSERT_EQ(examined.state, GoState::followed) << examined.reason;
    EXPECT_EQ(examined.version, "1.26.8");
    EXPECT_EQ(examined.found.layout.number, 152U);
    EXPECT_EQ(examined.found.layout.current, 184U);
    EXPECT_EQ(examined.found.slot, -8);
    EXPECT_EQ(program("go1.24.6").examine().found.layout.number, 160U);
}

TEST(Go, FunctionsAreWhereTheProgramWasLoaded) {
    const auto found = program("go1.26.8").examine().found;
    EXPECT_EQ(found.maker, kBias + kCode + 32);
    EXPECT_EQ(found.prepared, 56U);
    EXPECT_EQ(found.http_request, kBias + kCode + 48);
    EXPECT_EQ(found.http_writer, kBias + kCode + 64);
}

TEST(Go, Before118TheVersionIsPointedToAndFunctionsAreAbsolute) {
    Program drawn;
    drawn.pointed_version("go1.17.13");
    drawn.absolute_functions();
    const auto examined = drawn.examine();
    ASSERT_EQ(examined.state, GoState::followed) << examined.reason;
    EXPECT_EQ(examined.version, "1.17.13");
    EXPECT_EQ(examined.found.maker, kBias + kCode + 32);
}

TEST(Go, WhatIsNotKnownIsNotGuessed) {
    EXPECT_EQ(program("go1.27.0").examine().state, GoState::unsupported);
    EXPECT_THAT(program("go1.27.0").examine().reason, HasSubstr("not known"));
    EXPECT_EQ(program("go1.16.15").examine().state, GoState::unsupported);
    EXPECT_THAT(program("go1.26rc1").examine().reason, HasSubstr("not a release"));
    EXPECT_THAT(program("devel go1.27-0123abcd").examine().reason, HasSubstr("not a release"));
    EXPECT_THAT(program("").examine().reason, HasSubstr("cannot be read"));
    EXPECT_EQ(program("go1.26.8 X:nodwarf5").examine().version, "1.26.8");
}

TEST(Go, OtherProgramsAreNotGo) {
    Program drawn;
    EXPECT_EQ(drawn.examine().state, GoState::absent);
    drawn.functions();
    EXPECT_EQ(drawn.examine().state, GoState::absent);
    drawn = program("go1.26.8");
    drawn.bytes()[EI_CLASS] = std::byte{ELFCLASS32};
    EXPECT_EQ(drawn.examine().state, GoState::absent);
    EXPECT_EQ(examine_go({}, 0, drawn).state, GoState::absent);
}

TEST(Go, AProgramThatIsNotRelocatedYetIsAskedAgain) {
    Program drawn = program("go1.26.8");
    drawn.put(Program::data(0x200), kTable);
    EXPECT_EQ(drawn.examine().state, GoState::starting);
}

TEST(Go, WithoutATableOfFunctionsItIsNotFollowed) {
    Program drawn;
    drawn.version("go1.26.8");
    EXPECT_EQ(drawn.examine().state, GoState::unsupported);
    drawn = program("go1.26.8");
    drawn.put(Program::table(8), std::uint64_t{1} << 40U);  // more functions than there is room for
    EXPECT_THAT(drawn.examine().reason, HasSubstr("table of functions"));
}

TEST(Go, WhereCHasThreadLocalStorageTheCodeTellsTheSlot) {
    Program drawn = program("go1.26.8");
    drawn.thread_local_bytes(0x60);
    EXPECT_EQ(drawn.examine().state, GoState::unsupported);
    // push %rbp; mov %rsp,%rbp; mov %fs:0xffffffffffffffa0,%rax
    drawn.text(Program::code(16), std::string_view("\x55\x48\x89\xe5\x64\x48\x8b\x04\x25\xa0\xff\xff\xff", 13));
    const auto examined = drawn.examine();
    ASSERT_EQ(examined.state, GoState::followed) << examined.reason;
    EXPECT_EQ(examined.found.slot, -0x60);
}

TEST(Go, NamesThatAreNotAskedForAreLeftOut) {
    Program drawn = program("go1.26.8");
    const auto file = LoadedFile::read(drawn.bytes());
    ASSERT_TRUE(file);
    const auto functions = GoFunctions::find(*file);
    ASSERT_TRUE(functions);
    constexpr std::array<std::string_view, 2> kAsked{"net/http.(*persistConn).writeLoop", "net/http.(*persistConn).readLoop"};
    EXPECT_THAT(functions->entries(kAsked), ElementsAre(64, 0));
}

/// Whatever the file says, nothing beyond it is read (the sanitizers watch), and it takes no time to speak of.
TEST(Go, HostileFilesReadAsHavingLess) {
    const Program whole = program("go1.26.8");
    for (std::size_t size = 0; size < 4 * kSize; size += size < 0x200 ? 1 : 97) {
        Program cut = whole;
        cut.bytes().resize(size);
        EXPECT_NE(examine_go(cut.bytes(), kBias, whole).state, GoState::followed) << size;
    }
    std::mt19937_64 random(7);
    int followed = 0;
    for (int i = 0; i < 20000; i++) {
        Program bent = whole;
        for (int bytes = 0; bytes < 4; bytes++) {
            // Where something stands: headers, the table's header and entries, the data's records.
            constexpr std::array<std::uint64_t, 4> kPlaces{0, 2 * kSize, 2 * kSize + 0x400, 3 * kSize};
            bent.bytes()[kPlaces[random() % kPlaces.size()] + random() % 0x140] = static_cast<std::byte>(random());
        }
        followed += examine_go(bent.bytes(), kBias, bent).state == GoState::followed ? 1 : 0;
    }
    EXPECT_GT(followed, 0);
    EXPECT_LT(followed, 20000);
}

}  // namespace
}  // namespace timesink::runtime

#include "runtime/gnutls.hpp"

#include <Zydis/Zydis.h>

#include <array>

namespace timesink::runtime {

namespace {

constexpr std::size_t kSetterInstructions = 16;
constexpr ZydisRegister kSession = ZYDIS_REGISTER_RDI;
constexpr ZydisRegister kClient = ZYDIS_REGISTER_RSI;  // gnutls_datum_t: the pointer is its first member

}  // namespace

std::optional<std::uint16_t> gnutls_random_place(std::span<const std::byte> code) {
    ZydisDecoder decoder;
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    ZydisRegister holder = ZYDIS_REGISTER_NONE;
    std::uint16_t offset = 0;
    for (std::size_t i = 0; i < kSetterInstructions; ++i) {
        ZydisDecodedInstruction decoded;
        std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands{};
        if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code.data(), code.size(), &decoded, operands.data()))) {
            return std::nullopt;
        }
        code = code.subspan(decoded.length);
        const ZydisDecodedOperand& to = operands[0];
        const ZydisDecodedOperand& from = operands[1];
        if (decoded.mnemonic == ZYDIS_MNEMONIC_LEA && from.mem.base == kSession && from.mem.index == ZYDIS_REGISTER_NONE &&
            from.mem.disp.value > 0 && from.mem.disp.value <= UINT16_MAX) {
            holder = to.reg.value;
            offset = static_cast<std::uint16_t>(from.mem.disp.value);
        } else if (decoded.mnemonic == ZYDIS_MNEMONIC_MOV && to.type == ZYDIS_OPERAND_TYPE_MEMORY && to.mem.base == kClient &&
                   to.mem.disp.value == 0 && from.type == ZYDIS_OPERAND_TYPE_REGISTER && from.reg.value == holder &&
                   holder != ZYDIS_REGISTER_NONE) {
            return offset;
        }
    }
    return std::nullopt;
}

}  // namespace timesink::runtime

/* The page and its policy, as bytes of the program; see page.c. */
        .section .rodata
        .global page_text, page_length, page_policy
        .hidden page_text, page_length, page_policy
        .balign 8
page_length:
        .8byte page_end - page_text
page_text:
        .incbin "page.html"
page_end:
page_policy:
        .incbin "policy.txt"
        .byte 0
        .section .note.GNU-stack, "", %progbits

/* The page, its policy and its example of a graph, as bytes of the program; see page.c and
 * openapi/examples.c. */
        .section .rodata
        .global page_text, page_length, page_policy, graph_example
        .hidden page_text, page_length, page_policy, graph_example
        .balign 8
page_length:
        .8byte page_end - page_text
page_text:
        .incbin "page.html"
page_end:
page_policy:
        .incbin "policy.txt"
        .byte 0
graph_example:
        .incbin "graph_example.json"
        .byte 0
        .section .note.GNU-stack, "", %progbits

// java clients/examples/Hello.java http://127.0.0.1:8080
import java.net.URI;
import java.net.http.*;

class Hello {
    public static void main(String[] arguments) throws Exception {
        var body = "{\"x\": [[1, 2], [3, 4]], \"w\": [[0.5], [-1]], \"b\": [10]}";
        var request = HttpRequest.newBuilder(URI.create(arguments[0] + "/affine/forward"))
            .header("Content-Type", "application/json").POST(HttpRequest.BodyPublishers.ofString(body)).build();
        System.out.println(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body());
    }
}

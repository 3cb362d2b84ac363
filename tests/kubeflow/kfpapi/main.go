// Command kfpapi serves the API of Kubeflow Pipelines, gRPC and REST, without a cluster.
//
// The servers, the resource manager, the compiler and the validation are those of Kubeflow
// Pipelines. They use the client manager of its unit tests: SQLite and a bucket in memory, and a
// map of Workflows in place of Kubernetes. For the played Argo controller, two paths of our own
// stand for the API of Kubernetes:
//
//	GET /cluster/workflows       all Argo Workflows, by name
//	PUT /cluster/workflows/NAME  sets id, time and status of the one of this name
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"

	"github.com/gorilla/mux"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	apiv1 "github.com/kubeflow/pipelines/backend/api/v1beta1/go_client"
	apiv2 "github.com/kubeflow/pipelines/backend/api/v2beta1/go_client"
	"github.com/kubeflow/pipelines/backend/src/apiserver/client"
	"github.com/kubeflow/pipelines/backend/src/apiserver/common"
	"github.com/kubeflow/pipelines/backend/src/apiserver/config/proxy"
	"github.com/kubeflow/pipelines/backend/src/apiserver/resource"
	"github.com/kubeflow/pipelines/backend/src/apiserver/server"
	"github.com/kubeflow/pipelines/backend/src/common/util"
	swfapi "github.com/kubeflow/pipelines/backend/src/crd/pkg/apis/scheduledworkflow/v1beta1"
	swfclient "github.com/kubeflow/pipelines/backend/src/crd/pkg/client/clientset/versioned/typed/scheduledworkflow/v1beta1"
	"github.com/spf13/viper"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	namespace  = "kubeflow"
	rpcAddress = "127.0.0.1:8887"
	webAddress = "127.0.0.1:8888"
)

// The maps of the fake clients are not for several threads.
var lock sync.Mutex

func main() {
	flag.Parse() // for the flags of glog
	viper.Set(common.PodNamespace, namespace)
	proxy.InitializeConfigWithEmptyForTests() // the compiler panics without a configuration
	fakes, err := resource.NewFakeClientManager(util.NewRealTime(), util.NewUUIDGenerator())
	check(err)
	fakes.DB().SetMaxOpenConns(1) // each connection to ":memory:" is a database of its own
	manager := resource.NewResourceManager(clientManager{fakes}, &resource.ResourceManagerOptions{})
	_, err = manager.CreateDefaultExperiment("")
	check(err)
	go serveRPC(manager)
	log.Println("serving REST on", webAddress, "and gRPC on", rpcAddress)
	check(http.ListenAndServe(webAddress, newRouter(manager, fakes)))
}

func serveRPC(manager *resource.ResourceManager) {
	s := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		lock.Lock()
		defer lock.Unlock()
		return handle(ctx, request)
	}))
	apiv1.RegisterTaskServiceServer(s, server.NewTaskServer(manager)) // the cache of driver and launcher
	apiv2.RegisterExperimentServiceServer(s, server.NewExperimentServer(manager, &server.ExperimentServerOptions{}))
	apiv2.RegisterPipelineServiceServer(s, server.NewPipelineServer(manager, &server.PipelineServerOptions{}))
	apiv2.RegisterRecurringRunServiceServer(s, server.NewJobServer(manager, &server.JobServerOptions{}))
	apiv2.RegisterRunServiceServer(s, server.NewRunServer(manager, &server.RunServerOptions{}))
	apiv2.RegisterReportServiceServer(s, server.NewReportServer(manager))
	listener, err := net.Listen("tcp", rpcAddress)
	check(err)
	check(s.Serve(listener))
}

func newRouter(manager *resource.ResourceManager, fakes *resource.FakeClientManager) http.Handler {
	gateway := runtime.NewServeMux(runtime.WithMarshalerOption(runtime.MIMEWildcard, common.CustomMarshaler()))
	opts := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	for _, register := range []func(context.Context, *runtime.ServeMux, string, []grpc.DialOption) error{
		apiv2.RegisterExperimentServiceHandlerFromEndpoint, apiv2.RegisterPipelineServiceHandlerFromEndpoint,
		apiv2.RegisterRecurringRunServiceHandlerFromEndpoint, apiv2.RegisterRunServiceHandlerFromEndpoint,
		apiv2.RegisterReportServiceHandlerFromEndpoint,
	} {
		check(register(context.Background(), gateway, rpcAddress, opts))
	}
	upload := server.NewPipelineUploadServer(manager, &server.PipelineUploadServerOptions{})
	r := mux.NewRouter()
	r.HandleFunc("/apis/v2beta1/pipelines/upload", locked(upload.UploadPipeline))
	r.HandleFunc("/apis/v2beta1/pipelines/upload_version", locked(upload.UploadPipelineVersion))
	r.HandleFunc("/apis/v2beta1/healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"multi_user": false}`)
	})
	r.HandleFunc("/cluster/workflows", locked(func(w http.ResponseWriter, request *http.Request) {
		found := map[string]json.RawMessage{}
		for name := range fakes.ExecClientFake.GetWorkflowKeys() {
			workflow, err := fakes.ExecClientFake.Execution(namespace).Get(request.Context(), name, metav1.GetOptions{})
			check(err)
			found[name] = json.RawMessage(workflow.ToStringForStore())
		}
		check(json.NewEncoder(w).Encode(found))
	}))
	r.HandleFunc("/cluster/workflows/{name}", locked(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		check(err)
		sent, err := util.NewWorkflowFromBytesJSON(body)
		check(err)
		stored, err := fakes.ExecClientFake.Execution(namespace).Get(request.Context(), mux.Vars(request)["name"], metav1.GetOptions{})
		check(err)
		workflow := stored.(*util.Workflow)
		workflow.UID, workflow.CreationTimestamp, workflow.Status = sent.UID, sent.CreationTimestamp, sent.Status
	})).Methods(http.MethodPut)
	r.PathPrefix("/apis/").Handler(gateway)
	return r
}

func locked(handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		handle(w, request)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// clientManager gives each recurring run a name and an id of its own. The fake client gives all of
// them the same id, and those of one pipeline the same name.
type clientManager struct{ *resource.FakeClientManager }

func (c clientManager) SwfClient() client.SwfClientInterface {
	return swfClient{c.FakeClientManager.SwfClient()}
}

type swfClient struct{ client.SwfClientInterface }

func (c swfClient) ScheduledWorkflow(namespace string) swfclient.ScheduledWorkflowInterface {
	return scheduledWorkflows{c.SwfClientInterface.ScheduledWorkflow(namespace)}
}

type scheduledWorkflows struct {
	swfclient.ScheduledWorkflowInterface
}

func (c scheduledWorkflows) Create(ctx context.Context, workflow *swfapi.ScheduledWorkflow) (*swfapi.ScheduledWorkflow, error) {
	id, err := util.NewUUIDGenerator().NewRandom()
	if err != nil {
		return nil, err
	}
	workflow.GenerateName += id.String() // the fake client makes it the name
	created, err := c.ScheduledWorkflowInterface.Create(ctx, workflow)
	if err == nil {
		created.UID = types.UID(id.String())
	}
	return created, err
}
